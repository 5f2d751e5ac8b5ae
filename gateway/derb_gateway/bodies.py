"""The bodies of the five kinds of uplink (docs/protocol.md, Kind 1 to Kind 5). Pure."""

from collections.abc import Callable, Iterator

from derb_gateway.readings import (
    ALARM,
    ANSWER,
    DISTANCE_MAX_MM,
    HEALTH,
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
    alarm_name,
    health_name,
    result_name,
)
from derb_gateway.wire import NumberError, duration_s, read_svarint, read_varint

_DIFFERENCE_FOLLOWS = 7
_DIFFERENCES_S = (0, -1, 1, -2, 2, -3, 3)

# frame, index of the body, index of the tag, newest sequence number, newest age in seconds
BodyDecoder = Callable[[bytes, int, int, int, int], Iterator[Reading]]


class BodyError(NumberError):
    """A body that is not as the protocol page says."""


def parking(frame: bytes, at: int, end: int, sequence: int, age_s: int) -> Iterator[Reading]:
    """Yield parking readings, newest first; NumberError."""
    while True:
        if end - at < 2:
            raise BodyError("a parking record is cut off")
        state = frame[at] >> 6
        if state >= len(PARKING_STATES):
            raise BodyError("parking state 3 does not exist")
        percent = (100 * (frame[at] & 63) + 31) // 63
        yield Reading(sequence, age_s, Parking(PARKING_STATES[state], percent, duration_s(frame[at + 1])))
        at += 2
        if at == end:
            return
        gap_s, at = read_varint(frame, at, end)
        sequence, age_s = _older(sequence), age_s + gap_s


def level(frame: bytes, at: int, end: int, sequence: int, age_s: int) -> Iterator[Reading]:
    """Yield level readings, newest first; NumberError."""
    body, difference_s, at = _level_record(frame, at, end)
    if difference_s is None or difference_s != 0:
        raise BodyError("the first level record has no newer one to differ from")
    yield Reading(sequence, age_s, body)
    if at == end:
        return
    interval_s, at = read_varint(frame, at, end)
    if at == end:
        raise BodyError("an interval without a second level record")
    while at < end:
        body, difference_s, at = _level_record(frame, at, end)
        if difference_s is None:
            difference_s, at = read_svarint(frame, at, end)
        if interval_s + difference_s < 0:
            raise BodyError("a level record is newer than the one before it")
        sequence, age_s = _older(sequence), age_s + interval_s + difference_s
        yield Reading(sequence, age_s, body)


def _level_record(frame: bytes, at: int, end: int) -> tuple[Level, int | None, int]:
    """Return (level, difference in seconds or None if it follows, index after the u16)."""
    if end - at < 2:
        raise BodyError("a level record is cut off")
    record = frame[at] | frame[at + 1] << 8
    value, code = record & 0x1FFF, record >> 13
    if value > DISTANCE_MAX_MM and value not in LEVEL_STATUSES:
        msg = f"distance {value} does not exist"
        raise BodyError(msg)
    body = Level("ok", value) if value <= DISTANCE_MAX_MM else Level(LEVEL_STATUSES[value], None)
    return body, None if code == _DIFFERENCE_FOLLOWS else _DIFFERENCES_S[code], at + 2


def health(frame: bytes, at: int, end: int, sequence: int, age_s: int) -> Iterator[Reading]:
    """Yield one health reading; NumberError."""
    fields: list[tuple[str, int]] = []
    last_number = -1
    while at < end:
        number, at = read_varint(frame, at, end)
        value, at = read_svarint(frame, at, end)
        if number <= last_number:
            raise BodyError("health fields are not in rising order")
        last_number = number
        fields.append((health_name(number), value))
    if not fields:
        raise BodyError("a health frame without a field")
    yield Reading(sequence, age_s, Health(tuple(fields)))


def alarm(frame: bytes, at: int, end: int, sequence: int, age_s: int) -> Iterator[Reading]:
    """Yield alarms, newest first; NumberError."""
    while True:
        if at >= end:
            raise BodyError("an alarm record is cut off")
        code = frame[at]
        value, at = read_svarint(frame, at + 1, end)
        yield Reading(sequence, age_s, Alarm(alarm_name(code), value))
        if at == end:
            return
        gap_s, at = read_varint(frame, at, end)
        sequence, age_s = _older(sequence), age_s + gap_s


def answer(frame: bytes, at: int, end: int, sequence: int, age_s: int) -> Iterator[Reading]:
    """Yield answers to commands, newest first; NumberError."""
    while True:
        command, at = read_varint(frame, at, end)
        if at >= end:
            raise BodyError("an answer is cut off")
        result = result_name(frame[at])
        value, at = read_svarint(frame, at + 1, end)
        yield Reading(sequence, age_s, Answer(command, result, value))
        if at == end:
            return
        gap_s, at = read_varint(frame, at, end)
        sequence, age_s = _older(sequence), age_s + gap_s


def _older(sequence: int) -> int:
    if sequence == 0:
        raise BodyError("more readings than sequence numbers from 0")
    return sequence - 1


BODIES: dict[int, BodyDecoder] = {
    PARKING: parking,
    LEVEL: level,
    HEALTH: health,
    ALARM: alarm,
    ANSWER: answer,
}
