"""What a way to the city must be able to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Lane = Literal["live", "backfill", "replay"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings in the order of the store, in the upstream format; the ids are the store's.

    `lane`: "live" if nothing newer was handed over before it, "backfill" if it is the past, "replay" if an operator wants
    refused readings tried again. A sink that shows the present must not let the last two overwrite the first.
    """

    first_id: int
    last_id: int
    readings: Sequence[dict[str, Any]]
    lane: Lane = "live"


class Sink(Protocol):
    """A target. It may keep a `state`, which is committed with its cursor and handed to it again."""

    async def open(self, state: str | None) -> str | None:
        """Get ready and return the state to go on from; `state` is None the first time. SinkRetry."""

    async def deliver(self, batch: Batch, state: str | None) -> str | None:
        """Return the new state once the target has the batch. SinkRetry, SinkPartly, SinkRefused."""

    async def close(self) -> None:
        """Let go of everything; never raises."""
