"""When a sensor has said the same often enough to be believed: an empty container's depth, an empty bay's field. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from derb_tools.selftest_verdicts import distance_mm

ROUNDS = 6
_ANSWERED_PCT = 60
_AGREE_MM = 25
_QUIET_NT = (
    2500  # peak to peak of a window; a chip's noise is a quarter of it, a car across the street as much
)
_WINDOW = 12


@dataclass
class Depth:
    """Rounds of pings until as many in a row as ROUNDS agree."""

    rounds_mm: list[float] = field(default_factory=list)
    rounds: int = 0
    answered_pct: int = 0

    def take(self, echoes_us: Sequence[int], temp_c100: int) -> None:
        """One round; one with too few answers begins anew."""
        answered = [distance_mm(each, temp_c100) for each in echoes_us if each > 0]
        self.rounds += 1
        self.answered_pct = 100 * len(answered) // max(1, len(echoes_us))
        if self.answered_pct < _ANSWERED_PCT:
            self.rounds_mm.clear()
        else:
            self.rounds_mm.append(median(answered))

    @property
    def steady_mm(self) -> int | None:
        """The depth, once it is steady."""
        last = self.rounds_mm[-ROUNDS:]
        if len(last) < ROUNDS or max(last) - min(last) > _AGREE_MM:
            return None
        return round(median(last))


@dataclass
class Field:
    """Samples of the field in nT until the last window is quiet on every axis."""

    samples: list[tuple[int, int, int]] = field(default_factory=list)

    def take(self, seen: Sequence[Sequence[int]]) -> None:
        """More samples."""
        self.samples += [(x, y, z) for x, y, z in seen]

    def axis(self, number: int) -> list[float]:
        """One axis, oldest first."""
        return [float(sample[number]) for sample in self.samples]

    @property
    def quiet(self) -> bool:
        """Whether nothing moves; a window without the least noise is a stuck chip's, and is not quiet."""
        window = self.samples[-_WINDOW:]
        if len(window) < _WINDOW or len(set(window)) == 1:
            return False
        return all(max(axis) - min(axis) <= _QUIET_NT for axis in zip(*window, strict=True))
