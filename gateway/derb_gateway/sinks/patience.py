"""How a sink that is away is tried again: for ever, with full jitter, but not before the upstream wants to be asked."""

import logging
import random

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type
from tenacity.wait import wait_random_exponential

from derb_gateway.errors import RetryError, SinkRetry

log = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 300.0  # whatever an upstream says


class Patience:
    """One sink's attempts, and whether the last one succeeded."""

    def __init__(self, sink: str, retry_s: tuple[float, float]) -> None:
        """`retry_s`: first and largest bound of the wait after a failure."""
        self.healthy = True
        self.retries = 0
        self._sink = sink
        self._first_s = retry_s[0]
        self._jitter = wait_random_exponential(multiplier=retry_s[0], max=retry_s[1])

    def attempts(self) -> AsyncRetrying:
        """Return attempts for an `async for`; whatever is wrong with one sink ends nothing else."""
        return AsyncRetrying(
            retry=retry_if_exception_type(Exception), wait=self._pause_s, before_sleep=self._failed
        )

    def _pause_s(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        after_s = error.after_s if isinstance(error, SinkRetry) else None
        if after_s is None:
            return float(self._jitter(state))
        return min(after_s, _LONGEST_PAUSE_S) + random.uniform(0, self._first_s)

    def _failed(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome is not None else None
        self.retries += 1
        if self.healthy and error is not None:
            known = isinstance(error, RetryError)
            log.warning(
                "sink is away",
                extra={"sink": self._sink, "why": str(error) if known else repr(error)},
                exc_info=None if known else error,
            )
        self.healthy = False
