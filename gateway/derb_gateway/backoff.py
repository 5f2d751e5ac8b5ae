"""How long to wait before trying again: exponential with full jitter, so that no two wait alike."""

from tenacity import RetryCallState, Retrying
from tenacity.wait import wait_random_exponential


class FullJitter:
    """Waits drawn from 0 to a bound that doubles at each failure, up to a maximum."""

    def __init__(self, base_s: float, max_s: float) -> None:
        self._strategy = wait_random_exponential(multiplier=base_s, max=max_s)
        self._state = RetryCallState(Retrying(), None, (), {})

    def next_s(self) -> float:
        """Return how long to wait after one more failure."""
        wait_s = self._strategy(self._state)
        self._state.attempt_number += 1
        return float(wait_s)

    def reset(self) -> None:
        """Begin anew after a success."""
        self._state.attempt_number = 1
