"""An uplink as a node writes it (docs/protocol.md, Uplink), for simulated fleets and tests. Pure."""

import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from derb_gateway.frame import FRAME_MAX_BYTES, VERSION, tag
from derb_gateway.readings import (
    ALARM,
    ALARM_CODES,
    ANSWER,
    ANSWER_RESULTS,
    HEALTH,
    HEALTH_FIELDS,
    LEVEL,
    LEVEL_STATUSES,
    PARKING,
    PARKING_STATES,
    Alarm,
    Answer,
    Health,
    Level,
    Parking,
    Reading,
    Uplink,
)
from derb_gateway.wire import duration_s, write_svarint, write_varint

LABEL = b"derb1u"
_AGE_IS_BOUND = 0x10
_DURATION_UNKNOWN = 255
_DIFFERENCE_CODES = {0: 0, -1: 1, 1: 2, -2: 3, 2: 4, -3: 5, 3: 6}
_DIFFERENCE_FOLLOWS = 7
_STATUS_CODES = {status: code for code, status in LEVEL_STATUSES.items()}


def encode_uplink(node: str, key: bytes, uplink: Uplink) -> bytes:
    """The frame with its tag; ValueError if it has more than 240 bytes or cannot be written at all."""
    head = VERSION << 5 | (_AGE_IS_BOUND if uplink.age_is_bound else 0) | uplink.kind
    newest = uplink.readings[0]
    numbers = b"".join(map(write_varint, (uplink.boot, newest.sequence, newest.age_s)))
    untagged = bytes([head]) + numbers + b"".join(_BODIES[uplink.kind](uplink.readings))
    frame = untagged + tag(LABEL, node, key, untagged)
    if len(frame) > FRAME_MAX_BYTES:
        raise ValueError(f"a frame of {len(frame)} bytes; no frame has more than {FRAME_MAX_BYTES}")
    return frame


def duration_code(seconds: int | None) -> int:
    """The largest code whose value is not above the duration."""
    if seconds is None:
        return _DURATION_UNKNOWN
    codes = range(_DURATION_UNKNOWN - 1, -1, -1)
    return next(code for code in codes if (duration_s(code) or 0) <= seconds)


def _parking(readings: Sequence[Reading]) -> Iterator[bytes]:
    for gap, reading in _gaps(readings):
        body = reading.body
        assert isinstance(body, Parking)
        confidence = round(body.confidence * 63 / 100)
        state = PARKING_STATES.index(body.state) << 6 | confidence
        yield gap + bytes([state, duration_code(body.previous_state_s)])


def _alarm(readings: Sequence[Reading]) -> Iterator[bytes]:
    for gap, reading in _gaps(readings):
        body = reading.body
        assert isinstance(body, Alarm)
        code = ALARM_CODES.index(body.alarm) + 1 if body.alarm in ALARM_CODES else int(body.alarm)
        yield gap + bytes([code]) + write_svarint(body.value)


def _answer(readings: Sequence[Reading]) -> Iterator[bytes]:
    for gap, reading in _gaps(readings):
        body = reading.body
        assert isinstance(body, Answer)
        known = body.result in ANSWER_RESULTS
        code = ANSWER_RESULTS.index(body.result) + 1 if known else int(body.result)
        yield gap + write_varint(body.command) + bytes([code]) + write_svarint(body.value)


def _health(readings: Sequence[Reading]) -> Iterator[bytes]:
    (reading,) = readings
    assert isinstance(reading.body, Health)
    numbered = [(_field_number(name), value) for name, value in reading.body.fields]
    for number, value in sorted(numbered):
        yield write_varint(number) + write_svarint(value)


def _field_number(name: str) -> int:
    return HEALTH_FIELDS.index(name) + 1 if name in HEALTH_FIELDS else int(name)


def _level(readings: Sequence[Reading]) -> Iterator[bytes]:
    yield _level_record(readings[0], 0)
    steps = [older.age_s - newer.age_s for newer, older in pairwise(readings)]
    if steps:
        interval_s = sorted(steps)[len(steps) // 2]
        yield write_varint(interval_s)
        for reading, step in zip(readings[1:], steps, strict=True):
            yield _level_record(reading, step - interval_s)


def _level_record(reading: Reading, difference_s: int) -> bytes:
    body = reading.body
    assert isinstance(body, Level)
    value = _STATUS_CODES[body.status] if body.distance_mm is None else body.distance_mm
    code = _DIFFERENCE_CODES.get(difference_s, _DIFFERENCE_FOLLOWS)
    extra = write_svarint(difference_s) if code == _DIFFERENCE_FOLLOWS else b""
    return struct.pack("<H", code << 13 | value) + extra


def _gaps(readings: Sequence[Reading]) -> Iterator[tuple[bytes, Reading]]:
    """Each reading with the varint that stands before it; nothing before the newest."""
    yield b"", readings[0]
    for newer, older in pairwise(readings):
        yield write_varint(older.age_s - newer.age_s), older


_BODIES: dict[int, Callable[[Sequence[Reading]], Iterator[bytes]]] = {
    PARKING: _parking,
    LEVEL: _level,
    HEALTH: _health,
    ALARM: _alarm,
    ANSWER: _answer,
}
