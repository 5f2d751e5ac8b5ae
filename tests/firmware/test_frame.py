"""The wire format: sizes that were promised, numbers in their only form, downlinks that cannot be forged."""

import json

from derb import frame, reading

KEY = bytes(range(32))
NODE = b"\x24\x0a\xc4\xa1\xb2\xc3"


def _vectors():
    with open("tests/vectors/frames.json") as file:
        return json.load(file)


def _refused(call, *arguments):
    try:
        call(*arguments)
    except frame.FrameError as e:
        return str(e)
    raise AssertionError("was taken")


def test_every_uplink_vector_is_encoded_byte_for_byte():
    done = 0
    for vector in _vectors():
        if "readings" not in vector:
            continue
        now = vector["now_s"]
        readings = [(r[0], r[1], bytes.fromhex(r[2])) for r in vector["readings"]]
        packed, count = frame.encode(
            bytes.fromhex(vector["key"]),
            bytes.fromhex(vector["node"]),
            vector["kind"],
            vector["boot"],
            lambda t: now - t,
            vector["age_is_bound"],
            readings,
        )
        assert packed.hex() == vector["frame"], vector["name"]
        assert count == len(readings), vector["name"]
        done += 1
    assert done >= 15, done


def test_every_downlink_vector_is_read_or_refused_as_told():
    done = 0
    for vector in _vectors():
        if vector["direction"] != "down":
            continue
        arguments = (
            bytes.fromhex(vector["key"]),
            bytes.fromhex(vector["node"]),
            bytes.fromhex(vector["frame"]),
        )
        if "refused" in vector:
            _refused(frame.decode_downlink, *arguments)
        else:
            unix_s, synchronised, version, ranges, sections = frame.decode_downlink(*arguments)
            want = vector["decoded"]
            assert unix_s == want["unix_s"] and synchronised == want["synchronised"]
            assert version == want["config_version"]
            assert [list(r) for r in ranges] == want["ranges"]
            assert [(kind, bytes(value)) for kind, value in sections] == [
                (k, bytes.fromhex(v)) for k, v in want["sections"]
            ]
        done += 1
    assert done >= 5, done


def test_a_parking_event_fits_16_bytes():
    event = (16383, 0, reading.parking_payload(reading.OCCUPIED, 97, 3600))
    packed, count = frame.encode(KEY, NODE, reading.PARKING, 16383, lambda t: 127, False, [event])
    assert (len(packed), count) == (16, 1)


def test_24_hourly_levels_fit_64_bytes_whatever_they_say():
    for step in (0, 1, 997, 8000):
        readings = []
        for i in range(24):
            readings.append((16000 + i, 3600 * i + i % 3, reading.level_payload(i * step % 8186)))
        packed, count = frame.encode(
            KEY, NODE, reading.LEVEL, 16383, lambda t: 3600 * 23 + 100 - t, False, readings
        )
        assert (len(packed), count) == (64, 24)


def test_no_frame_is_longer_than_240_bytes_and_the_oldest_go_first():
    readings = [(i, i * 1000, reading.parking_payload(reading.FREE, 50, i)) for i in range(500)]
    packed, count = frame.encode(KEY, NODE, reading.PARKING, 1, lambda t: 1000000 - t, False, readings)
    assert len(packed) <= 240
    assert 40 < count < 80


def test_a_health_reading_travels_alone():
    readings = [
        (0, 0, reading.health_payload([(1, 3600), (2, -70)])),
        (1, 5, reading.health_payload([(1, 3599)])),
    ]
    assert frame.encode(KEY, NODE, reading.HEALTH, 1, lambda t: 10 - t, False, readings)[1] == 1


def test_a_duration_code_never_says_too_much_and_at_most_a_17th_too_little():
    for seconds in list(range(2000)) + [3600, 7200, 86399, 86400, 400000, 491519]:
        code = reading.duration_code(seconds)
        said = code if code < 16 else (16 + (code & 15)) << ((code >> 4) - 1)
        assert said <= seconds and (seconds - said) * 17 <= seconds, seconds
    assert reading.duration_code(10000000) == 254
    assert reading.duration_code(None) == 255


def test_confidence_survives_within_one_percent():
    for percent in range(101):
        code = reading.parking_payload(reading.FREE, percent, None)[0] & 63
        assert abs((100 * code + 31) // 63 - percent) <= 1


def test_the_tag_is_hmac_sha256():
    # RFC 4231, test case 2, with its key of 4 bytes: the same construction at another key length.
    assert frame.tag(b"Jefe", b"what do ya ", b"want ", b"for nothing?").hex() == "5bdcc146bf60754e"


def test_a_downlink_with_any_changed_byte_is_refused():
    whole = bytes.fromhex([v for v in _vectors() if v["name"] == "receipt"][0]["frame"])
    for i in range(len(whole)):
        for bit in (1, 16, 128):
            changed = bytearray(whole)
            changed[i] ^= bit
            _refused(frame.decode_downlink, KEY, NODE, bytes(changed))
    for length in range(len(whole)):
        _refused(frame.decode_downlink, KEY, NODE, whole[:length])
    _refused(frame.decode_downlink, bytes(32), NODE, whole)
    _refused(frame.decode_downlink, KEY, bytes(6), whole)


def test_numbers_have_one_form_only():
    for good in ("00", "7f", "8001", "ffffffff0f"):
        frame.get_varint(bytes.fromhex(good), 0)
    for bad in ("", "80", "8000", "ffffffff1f", "ffffffffff01", "808080808001"):
        _refused(frame.get_varint, bytes.fromhex(bad), 0)
