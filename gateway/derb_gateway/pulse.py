"""Whether a loop that has work gets on with it. Rest is no stall: a quiet street has nothing to do."""

import time
from collections.abc import Callable


class Pulse:
    """One loop's pulse: `beat` at the beginning of each step, `rest` when there is nothing more to do."""

    def __init__(self, name: str, now_s: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._now_s = now_s
        self._since_s: float | None = None

    def beat(self) -> None:
        """Say that a step begins."""
        self._since_s = self._now_s()

    def rest(self) -> None:
        """Say that the last step is done and none has begun."""
        self._since_s = None

    def busy_s(self) -> float:
        """Return for how long the present step has taken, 0 at rest."""
        since_s = self._since_s
        return 0.0 if since_s is None else self._now_s() - since_s
