"""Ending tasks for certain.

Until Python 3.12 `asyncio.wait_for` loses a cancellation that comes in the moment in which what it waits for is there. We do
not use it; libraries do, so a task that goes on is told again.
"""

import asyncio
from typing import Any

_AGAIN_S = 5.0  # to close what it has open takes a task some time


async def end(*tasks: asyncio.Task[Any]) -> list[Exception | None]:
    """Cancel tasks until all have ended; return what each failed with, None if with nothing."""
    living = set(tasks)
    while living:
        for task in living:
            task.cancel()
        _, living = await asyncio.wait(living, timeout=_AGAIN_S)
    return [_failure(task) for task in tasks]


def _failure(task: asyncio.Task[Any]) -> Exception | None:
    error = None if task.cancelled() else task.exception()
    return error if isinstance(error, Exception) else None
