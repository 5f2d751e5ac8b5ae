"""When a reading was made, and how sure that is (docs/protocol.md, Time). Pure."""

from typing import NamedTuple

from derb_gateway.arrivals import Arrival
from derb_gateway.store import StoredTime

AGE_BELIEVED_S = 10 * 366 * 86_400
DRIFT_PART = 100  # a node times its sleep by an RC clock: about 0.3 % off, more with the temperature
EXACT_BELOW_MS = 5_000
EXACT, BOUNDED, UNCERTAIN = "exact", "bounded", "uncertain"


class ReadingTime(NamedTuple):
    """When it was made as far as we know, and by how much that may be wrong (None: unknown).

    The broker's part of the error says how much earlier it may have been; the node's clock's, 1 % of the age,
    goes to both sides.
    """

    observed_ms: int
    error_ms: int | None
    lower_bound: bool


def reading_time(arrival: Arrival, age_s: int, *, lower_bound: bool) -> ReadingTime:
    """Return a reading's time; an age that no node can have is cut, and then nothing bounds it."""
    unbounded = lower_bound or age_s > AGE_BELIEVED_S
    observed_ms = arrival.received_ms - min(age_s, AGE_BELIEVED_S) * 1000
    if unbounded or arrival.error_ms is None:
        return ReadingTime(observed_ms, None, lower_bound)
    return ReadingTime(observed_ms, arrival.error_ms + age_s // DRIFT_PART * 1000, lower_bound)


def surer(new: ReadingTime, stored: StoredTime, slack_ms: int) -> bool:
    """Return whether a new time says more than the stored one and does not contradict it.

    A recorded frame that a stranger sends again much later contradicts it, and so moves nothing.
    """
    if new.error_ms is None or (stored.error_ms is not None and new.error_ms >= stored.error_ms):
        return False
    if new.observed_ms > stored.observed_ms + slack_ms:
        return False
    return stored.error_ms is None or new.observed_ms >= stored.observed_ms - stored.error_ms - slack_ms


def quality(error_ms: int | None) -> str:
    """Return the upstream's word for a time's error."""
    if error_ms is None:
        return UNCERTAIN
    return BOUNDED if error_ms >= EXACT_BELOW_MS else EXACT


def error_s(error_ms: int | None) -> int | None:
    """Return whole seconds, rounded up."""
    return None if error_ms is None else -(-error_ms // 1000)
