"""What a way to the city must be able to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Batch:
    """Readings in the order of the store, in the upstream format; the ids are the store's."""

    first_id: int
    last_id: int
    readings: Sequence[dict[str, Any]]


class Sink(Protocol):
    """A target. It may keep a `state`, which is committed with its cursor and handed to it again."""

    async def open(self, state: str | None) -> str | None:
        """Get ready and return the state to go on from; `state` is None the first time. SinkRetry."""

    async def deliver(self, batch: Batch, state: str | None) -> str | None:
        """Return the new state once the target has the batch. SinkRetry, SinkRefused."""

    async def close(self) -> None:
        """Let go of everything; never raises."""
