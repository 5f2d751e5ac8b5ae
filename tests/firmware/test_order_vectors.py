"""Sections 1 and 2 of a downlink, asks and chunks, as the vectors from an independent reading of the page have them."""

import json

from derb import chunks, frame, orders
from derb.orders import Orders
from derb.remote import REFUSED, Remote, read
from fakes_nvs import FakeNvs

INTERPRETERS = ("unix64", "wasm32")  # a cut-off number is a ValueError there, as on the board


def _vectors(which):
    with open("tests/vectors/orders.json") as file:
        return [vector for vector in json.load(file) if which in vector]


class Clock:
    def now(self):
        return 0

    def to_unix(self, t):
        return 0


def _refused(call, *arguments):
    try:
        call(*arguments)
    except frame.FrameError:
        return True
    return False


def test_every_section_1_is_read_or_refused_as_its_vector_says():
    done = 0
    for vector in _vectors("section"):
        if vector["section"] != 1:
            continue
        body = bytes.fromhex(vector["body"])
        if "refused" in vector:
            assert _refused(read, body), vector["name"]
            # For ever, if it has a version at all.
            assert not body or Remote(FakeNvs(), {}).offer(body) == REFUSED, vector["name"]
        else:
            assert read(body) == (vector["version"], vector["settings"]), vector["name"]
        done += 1
    assert done >= 14, done


def test_every_section_2_is_read_or_refused_as_its_vector_says():
    done = 0
    for vector in _vectors("section"):
        if vector["section"] != 2:
            continue
        pending = Orders(FakeNvs(), None, Clock())
        pending.hear(0, True, [(orders.COMMAND, bytes.fromhex(vector["body"]))])
        command = pending.next()
        if "refused" in vector:
            assert command is None and pending.malformed == 1, vector["name"]
        else:
            found = command.id, command.code, command.deadline, command.argument
            wanted = vector["id"], vector["code"], vector["deadline_s"], vector["argument"]
            assert found == wanted and not pending.malformed, vector["name"]
        done += 1
    assert done >= 12, done


def test_every_ask_is_made_byte_for_byte():
    done = 0
    for vector in _vectors("ask"):
        if "refused" in vector:
            continue  # by the gateway
        key, node = bytes.fromhex(vector["key"]), bytes.fromhex(vector["node"])
        made = chunks.ask(key, node, vector["version"], vector["file"], vector["offset"], vector["count"])
        assert made.hex() == vector["ask"], vector["name"]
        done += 1
    assert done >= 5, done


def test_every_chunk_is_read_or_refused_as_its_vector_says():
    done = 0
    for vector in _vectors("chunk"):
        arguments = [bytes.fromhex(vector[name]) for name in ("key", "node", "chunk")]
        if "refused" in vector:
            assert _refused(chunks.read, *arguments), vector["name"]
        else:
            version, file, offset, content = chunks.read(*arguments)
            assert (version, file, offset) == (vector["version"], vector["file"], vector["offset"])
            assert bytes(content) == bytes.fromhex(vector["content"]), vector["name"]
        done += 1
    assert done >= 9, done
