"""The gateway's tasks by name. None of them should end by itself; one that does ends the gateway."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from derb_gateway.ending import end

log = logging.getLogger(__name__)


class Parts:
    """Tasks that are started, finished and cancelled by name."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._let_go: set[str] = set()
        self._ended = asyncio.Event()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start a task; its name must be free."""
        task = self._tasks[name] = asyncio.create_task(work, name=name)
        self._let_go.discard(name)
        task.add_done_callback(lambda _: self._ended.set())

    async def one_ends(self) -> None:
        """Wait until a task ends that nobody told to, and end as it did."""
        while True:
            await self._ended.wait()
            self._ended.clear()
            for name, task in self._tasks.items():
                if task.done() and name not in self._let_go:
                    log.error("task ended by itself", extra={"task": name})
                    task.result()
                    return

    async def finish(self, deadline_s: float, *names: str) -> list[str]:
        """Give tasks that were told to end so long to do it; return those that did not."""
        tasks = [self._tasks[name] for name in names if name in self._tasks]
        self._let_go.update(names)
        if not tasks:
            return []
        _, late = await asyncio.wait(tasks, timeout=deadline_s)
        for task in late:
            log.warning("task did not end in time", extra={"task": task.get_name()})
        return [task.get_name() for task in late]

    async def cancel_all(self) -> None:
        """End what still runs."""
        await self.cancel(*self._tasks)

    async def cancel(self, *names: str) -> None:
        """End tasks and forget them; what one failed with is logged."""
        ending = {name: self._tasks[name] for name in names if name in self._tasks}
        self._let_go.update(ending)
        failures = await end(*ending.values())
        for name, failure in zip(ending, failures, strict=True):
            del self._tasks[name]
            if failure is not None:
                log.error("task failed", extra={"task": name, "why": repr(failure)})
