"""The relay's half of the serial line: golden vectors, and whatever else may come down a cable."""

import json

from relay import framing, messages

ROUNDS = 4000


def _vectors(direction=None):
    with open("tests/vectors/relay.json") as file:
        found = [v for v in json.load(file) if direction in (None, v["direction"])]
    assert len(found) >= 10
    return found


class Random:
    """The same numbers in every interpreter (xorshift, 31 bits)."""

    def __init__(self, seed):
        self._x = seed

    def below(self, n):
        x = self._x
        x ^= (x & 0x1FFFF) << 13
        x ^= x >> 17
        x ^= (x & 0x1FFFFFF) << 5
        self._x = x & 0x3FFFFFFF or 1
        return (self._x >> 3) % n

    def bytes(self, n):
        return bytes(self.below(256) for _ in range(n))


def _meaning(content):
    message = messages.read(content)
    if message is None:
        return None
    if message[0] == messages.ASK:
        return {"message": "ask", "channel": message[1]}
    if message[0] == messages.TAKEN:
        return {"message": "taken", "numbers": list(message[1])}
    _, number, hold_s, node, frame = message
    return {
        "message": "downlink",
        "number": number,
        "hold_s": hold_s,
        "node": node.hex(),
        "frame": frame.hex(),
    }


def test_every_vector_is_split_as_written():
    for vector in _vectors():
        splitter = framing.Splitter()
        contents = splitter.feed(bytes.fromhex(vector["line"]))
        expected = [] if vector["content"] is None else [bytes.fromhex(vector["content"])]
        assert contents == expected, vector["name"]
        assert (splitter.bad > 0) == (vector["content"] is None), vector["name"]


def test_every_good_vector_is_framed_byte_for_byte():
    for vector in _vectors():
        if vector["content"]:
            assert framing.encode(bytes.fromhex(vector["content"])).hex() == vector["line"], vector["name"]


def test_what_the_gateway_says_is_understood_or_refused():
    for vector in _vectors("to_relay"):
        if vector["content"]:
            assert _meaning(bytes.fromhex(vector["content"])) == vector["meaning"], vector["name"]


def test_what_the_relay_says_is_written_byte_for_byte():
    for vector in _vectors("to_gateway"):
        meaning = vector["meaning"]
        if meaning is None:
            continue
        if meaning["message"] == "self":
            if "newer" in vector["name"]:
                continue
            content = messages.self_description(
                bytes.fromhex(meaning["relay"]),
                meaning["start"],
                meaning["uptime_s"],
                meaning["firmware_version"],
                meaning["channel"],
                meaning["room_bytes"],
                meaning["chip"],
                meaning["counters"],
            )
        elif meaning["message"] == "uplink":
            node, packet = bytes.fromhex(meaning["node"]), bytes.fromhex(meaning["packet"])
            content = messages.uplink(
                meaning["number"], meaning["held_ms"], meaning["rssi_dbm"], node, packet
            )
        else:
            content = messages.done(meaning["number"], meaning["result"])
        assert content.hex() == vector["content"], vector["name"]


def test_any_content_comes_back_in_any_pieces():
    random = Random(20261128)
    for _ in range(300):
        content = bytes(0 if random.below(9) < 2 else random.below(256) for _ in range(1 + random.below(260)))
        coded = framing.encode(content)
        assert coded[0] == 0 and coded[-1] == 0 and 0 not in coded[1:-1]
        assert len(coded) <= len(content) + 4 + 2 + 2
        splitter, at, found = framing.Splitter(), 0, []
        while at < len(coded):
            size = 1 + random.below(40)
            found += splitter.feed(coded[at : at + size])
            at += size
        assert found == [content] and splitter.bad == 0


def test_damaged_frames_are_dropped_and_the_next_one_is_whole():
    random = Random(7)
    taken = 0
    for _ in range(ROUNDS):
        content = bytes([0x82]) + random.bytes(10 + random.below(60))
        coded = bytearray(framing.encode(content))
        harm = random.below(4)
        if harm == 0:
            coded[1 + random.below(len(coded) - 2)] ^= 1 << random.below(8)
        elif harm == 1:
            coded = coded[: 1 + random.below(len(coded) - 2)]
        elif harm == 2:
            at = 1 + random.below(len(coded) - 2)
            coded = coded[:at] + random.bytes(1 + random.below(400)) + coded[at:]
        else:
            coded = bytearray(random.bytes(random.below(700)))
        splitter = framing.Splitter()
        found = splitter.feed(bytes(coded)) + splitter.feed(framing.encode(b"\x81\x00"))
        assert found[-1] == b"\x81\x00"
        taken += sum(each not in (content, b"\x81\x00") for each in found)
        assert len(splitter._coded) == 0
    assert taken == 0, "a damaged frame was taken for a good one"


def test_an_endless_stream_without_a_zero_takes_no_memory():
    splitter = framing.Splitter()
    for _ in range(2000):
        assert splitter.feed(b"\x55" * 100) == []
        assert len(splitter._coded) <= 400
    assert splitter.feed(b"\x00" + framing.encode(b"\x81\x00")) == [b"\x81\x00"]
    assert splitter.bad == 1


def test_garbage_as_content_is_refused_and_raises_nothing():
    random = Random(99)
    for _ in range(ROUNDS):
        content = bytes([(0x81, 0x82, 0x83, random.below(256))[random.below(4)]]) + random.bytes(
            random.below(280)
        )
        message = messages.read(content)
        assert message is None or message[0] == content[0]
