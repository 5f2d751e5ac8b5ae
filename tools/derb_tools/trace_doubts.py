"""What of a recording looks as if a column had another unit, or time were missing. Nothing else would show it."""

from collections.abc import Iterator
from dataclasses import dataclass

SAMPLES_LEAST = 10
FIELD_LEAST_NT = 5_000  # the Earth's 22,000 to 67,000 nT give at least one axis 12,700
TEMP_LEAST_C100 = 60


@dataclass(frozen=True)
class Usual:
    """What is usual of a kind of recording, widely: the mean step, and how long a gap goes without saying."""

    samples: str
    step_least_ms: int
    step_most_ms: int
    gap_ms: int


PARKING = Usual("samples", 10, 600_000, 3_600_000)
LEVEL = Usual("readings", 5_000, 7 * 86_400_000, 7 * 86_400_000)


class Doubts:
    """Takes the samples as they go by; afterwards has a line for people for each thing that is odd."""

    def __init__(self, usual: Usual) -> None:
        self._usual = usual
        self._samples = 0
        self._span_ms = 0
        self._gap_ms = 0
        self._gap_line = 0
        self._field_most_nt: int | None = None
        self._temp_most_c100 = 0

    def saw(self, line: int, step_ms: int, temp_c100: int, field_nt: tuple[int, int, int] | None) -> None:
        """One sample. `step_ms`: since the one before; `field_nt`: None where the recording has none."""
        self._samples += 1
        self._span_ms += step_ms
        if step_ms > self._gap_ms:
            self._gap_ms, self._gap_line = step_ms, line
        self._temp_most_c100 = max(self._temp_most_c100, abs(temp_c100))
        if field_nt is not None:
            self._field_most_nt = max(self._field_most_nt or 0, *map(abs, field_nt))

    def told(self) -> Iterator[str]:
        """The lines; none for a recording as they usually are, nor for one too short to judge."""
        if self._samples < SAMPLES_LEAST:
            return
        step_ms = (self._span_ms - self._gap_ms) / (self._samples - 2)  # one gap moves no mean
        if not self._usual.step_least_ms <= step_ms <= self._usual.step_most_ms:
            yield f"{self._usual.samples} come every {step_ms:,.1f} ms on average: is t_ms in milliseconds?"
        elif self._gap_ms > self._usual.gap_ms:
            hours = self._gap_ms / 3_600_000
            yield f"nothing for {hours:.1f} h before line {self._gap_line}: what is said of that time is a guess"
        if self._field_most_nt is not None and self._field_most_nt < FIELD_LEAST_NT:
            yield (
                f"the field is never above {self._field_most_nt} nT on any axis, and the Earth's is 22,000 to 67,000: "
                "are x_nt, y_nt, z_nt in nanotesla?"
            )
        if 0 < self._temp_most_c100 <= TEMP_LEAST_C100:
            yield f"the temperature is never beyond {self._temp_most_c100 / 100:g} C: is temp_c100 in 1/100 C?"
