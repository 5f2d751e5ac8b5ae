"""What a recording says, sample by sample, for the firmware's detection; and what of it had to be skipped."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from derb_tools.errors import RecordingError
from derb_tools.trace_csv import Row, parse_number, read_rows, shown
from derb_tools.trace_doubts import LEVEL, PARKING, Doubts

T_MAX_MS = 2**53
# Ten times what the coarsest magnetometer of this kind can read: beyond it, columns or units are mixed up.
FIELD_MAX_NT = 10_000_000
TEMP_MIN_C100, TEMP_MAX_C100 = -10_000, 20_000
RSSI_MIN_DBM, RSSI_MAX_DBM = -200, 50
ECHO_MAX_US = 1_000_000
DISTANCE_MAX_MM = 8185
PINGS_MAX = 255
NO_ECHO_START_US, ECHO_NEVER_ENDED_US = -1, -2
# The longest step that is a small int on the board, 12 days; in a longer gap everything is old anyway.
STEP_MAX_MS = 2**30 - 1

FIELD_COLUMNS = ("x_nt", "y_nt", "z_nt")
NO_VALUE, SAME_TIME = "without a value", "with the time of the sample before"


@dataclass
class Tally:
    """How many samples a recording had and, by reason, how many were skipped; the first place of each.

    `doubts`: once it is read, a line for each thing that looks like a mistake in it.
    """

    samples: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    first_line: dict[str, int] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    first_ms: int | None = None
    last_ms: int | None = None

    def take(self, t_ms: int) -> None:
        self.samples += 1
        self.first_ms = t_ms if self.first_ms is None else self.first_ms
        self.last_ms = t_ms

    def skip(self, row: Row, reason: str) -> None:
        self.skipped[reason] += 1
        self.first_line.setdefault(reason, row.line)

    def notes(self) -> list[str]:
        """What people should hear of it, a line each."""
        return [*filter(None, [self.summary()]), *self.doubts]

    def summary(self) -> str | None:
        """One line for people; None when nothing was skipped."""
        if not self.skipped:
            return None
        parts = [
            f"{n} {reason} (first in line {self.first_line[reason]})" for reason, n in self.skipped.items()
        ]
        skipped = self.skipped.total()
        return f"{skipped} of {self.samples + skipped} samples skipped: {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class ParkingSample:
    """One row of a parking recording. `restart` happens before the sample; None as `field_nt`: only that."""

    t_ms: int
    step_ms: int
    restart: str
    field_nt: tuple[int, int, int] | None
    temp_c100: int
    rssi_dbm: int | None


@dataclass(frozen=True, slots=True)
class LevelSample:
    """One reading of a level recording: its pings, -1 for no echo start, -2 for an echo that never ended."""

    t_ms: int
    echoes_us: tuple[int, ...]
    temp_c100: int


class Clock:
    """The recording's time: may leap forward, may not go back."""

    def __init__(self) -> None:
        self.last_ms: int | None = None

    def step_ms(self, row: Row, t_ms: int) -> int:
        """Milliseconds since the sample before, 0 for the first one. Raises RecordingError."""
        last_ms = t_ms if self.last_ms is None else self.last_ms
        if t_ms < last_ms:
            raise row.error(
                "t_ms", f"time goes back, from {last_ms} to {t_ms}; sort the rows, or begin another file here"
            )
        self.last_ms = t_ms
        return min(t_ms - last_ms, STEP_MAX_MS)

    def stands_still(self, t_ms: int) -> bool:
        return t_ms == self.last_ms


def parking_samples(path: Path, tally: Tally) -> Iterator[ParkingSample]:
    """The samples of a parking recording, in order. Raises RecordingError."""
    clock, doubts = Clock(), Doubts(PARKING)
    for row in read_rows(path, ("t_ms", *FIELD_COLUMNS, "temp_c100"), ("rssi_dbm", "restart")):
        t_ms = row.integer("t_ms", -T_MAX_MS, T_MAX_MS)
        restart = _restart(row)
        field_nt = _field_nt(row)
        temp_c100 = row.integer("temp_c100", TEMP_MIN_C100, TEMP_MAX_C100)
        rssi_dbm = row.integer("rssi_dbm", RSSI_MIN_DBM, RSSI_MAX_DBM)
        reason = _reason_to_skip(clock, t_ms, field_nt is None or temp_c100 is None)
        if reason is None:
            assert t_ms is not None
            assert temp_c100 is not None
            tally.take(t_ms)
            step_ms = clock.step_ms(row, t_ms)
            doubts.saw(row.line, step_ms, temp_c100, field_nt)
            yield ParkingSample(t_ms, step_ms, restart, field_nt, temp_c100, rssi_dbm)
            continue
        tally.skip(row, reason)
        if restart:
            # The node restarted, whatever became of the sample.
            yield ParkingSample(0, 0, restart, None, 0, None)
    _check_not_empty(path, tally)
    tally.doubts += doubts.told()


def level_samples(path: Path, tally: Tally) -> Iterator[LevelSample]:
    """The readings of a level recording, in order. Raises RecordingError."""
    clock, doubts = Clock(), Doubts(LEVEL)
    for row in read_rows(path, ("t_ms", "echo_us", "temp_c100"), ()):
        t_ms = row.integer("t_ms", -T_MAX_MS, T_MAX_MS)
        echoes_us = _echoes_us(row)
        temp_c100 = row.integer("temp_c100", TEMP_MIN_C100, TEMP_MAX_C100)
        reason = _reason_to_skip(clock, t_ms, not echoes_us or temp_c100 is None)
        if reason is not None:
            tally.skip(row, reason)
            continue
        assert t_ms is not None
        assert temp_c100 is not None
        doubts.saw(row.line, clock.step_ms(row, t_ms), temp_c100, None)
        tally.take(t_ms)
        yield LevelSample(t_ms, echoes_us, temp_c100)
    _check_not_empty(path, tally)
    tally.doubts += doubts.told()


def _reason_to_skip(clock: Clock, t_ms: int | None, incomplete: bool) -> str | None:
    if t_ms is None or incomplete:
        return NO_VALUE
    return SAME_TIME if clock.stands_still(t_ms) else None


def _field_nt(row: Row) -> tuple[int, int, int] | None:
    x, y, z = (row.integer(column, -FIELD_MAX_NT, FIELD_MAX_NT) for column in FIELD_COLUMNS)
    return None if x is None or y is None or z is None else (x, y, z)


def _restart(row: Row) -> str:
    restart = row.cells.get("restart", "").lower()
    if restart not in ("", "cold", "warm"):
        raise row.error("restart", f"{shown(restart)} is neither cold, warm nor empty")
    return restart


def _echoes_us(row: Row) -> tuple[int, ...]:
    """The pings of one reading; one without a value is left out."""
    pings = row.cells["echo_us"].split(";")
    if len(pings) > PINGS_MAX:
        raise row.error("echo_us", f"{len(pings)} pings; no reading has more than {PINGS_MAX}")
    values = [_echo_us(row, ping.strip()) for ping in pings]
    return tuple(value for value in values if value is not None)


def _echo_us(row: Row, ping: str) -> int | None:
    value = parse_number(ping)
    if isinstance(value, str):
        raise row.error("echo_us", f"{shown(ping)} is not a number")
    if value is not None and not ECHO_NEVER_ENDED_US <= value <= ECHO_MAX_US:
        raise row.error("echo_us", f"{shown(ping)} is not between {ECHO_NEVER_ENDED_US} and {ECHO_MAX_US}")
    return None if value is None else round(value)


def _check_not_empty(path: Path, tally: Tally) -> None:
    if not tally.samples:
        skipped = tally.summary()
        raise RecordingError(f"{path} has no samples" + (f"; {skipped}" if skipped else ""))
