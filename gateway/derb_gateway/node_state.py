"""What the intake remembers of one node between its frames."""

from collections import deque
from collections.abc import Callable, Iterable

from derb_gateway.downlink import RANGES_MAX, Range
from derb_gateway.frame import TAG_BYTES
from derb_gateway.intervals import IntervalSet

_TAGS_KEPT = 32


class NodeState:
    """When a node was heard, the tags of its latest frames, where they were, and what no receipt may name."""

    __slots__ = ("_anchors", "_disputed", "first_ms", "frames", "last_ms", "late", "tags")

    def __init__(self, first_ms: int, last_ms: int, frames: int, tags: bytes, late: int = 0) -> None:
        self.first_ms = first_ms
        self.last_ms = last_ms
        self.frames = frames
        self.late = late
        cut = (tags[i : i + TAG_BYTES] for i in range(0, len(tags), TAG_BYTES))
        self.tags = deque(cut, maxlen=_TAGS_KEPT)
        self._anchors: deque[tuple[int, int]] = deque(maxlen=RANGES_MAX)
        self._disputed: dict[int, IntervalSet] = {}

    def dispute(self, boot: int, sequences: Iterable[int]) -> None:
        """Keep out of every receipt what is held under the identity of another reading."""
        disputed = self._disputed.setdefault(boot, IntervalSet())
        for sequence in sequences:
            disputed.add(sequence, sequence)

    def heard(
        self, tag: bytes, boot: int, oldest: int, newest: int, at_ms: int, *, held: bool = False
    ) -> bool:
        """Note a good frame; return whether the very same one is among the latest.

        One that was held on its way does not take back when the node was heard last. One from the street does: the wall clock
        was put right.
        """
        repeated = tag in self.tags
        if not repeated:
            self.tags.append(tag)
        self.frames += 1
        self.last_ms = max(self.last_ms, at_ms) if held else at_ms
        self._anchor(boot, oldest, newest)
        return repeated

    def _anchor(self, boot: int, oldest: int, newest: int) -> None:
        """Remember the place of a frame, instead of a place that is in the same run anyway."""
        if self._anchors:
            last_boot, last = self._anchors[-1]
            if last_boot == boot and oldest - 1 <= last <= newest:
                self._anchors.pop()
        if (boot, newest) in self._anchors:
            self._anchors.remove((boot, newest))
        self._anchors.append((boot, newest))

    def ranges(self, known: Callable[[int], IntervalSet]) -> list[Range]:
        """Return the runs around the latest frames, latest first, each once."""
        runs: list[Range] = []
        for boot, sequence in reversed(self._anchors):
            if any(run.boot == boot and run.first <= sequence <= run.last for run in runs):
                continue
            run = known(boot).run(sequence)
            if run and (undisputed := self._undisputed(boot, sequence, *run)):
                runs.append(undisputed)
        return runs

    def _undisputed(self, boot: int, sequence: int, first: int, last: int) -> Range | None:
        """Return the part of a run around a number that nothing disputed is in."""
        for low, high in self._disputed[boot].intervals() if boot in self._disputed else ():
            if low <= sequence <= high:
                return None
            if high < sequence:
                first = max(first, high + 1)
            else:
                last = min(last, low - 1)
        return Range(boot, first, last)
