"""Progress wakes whoever waits, and nobody has to poll."""

import asyncio

from derb_gateway.progress import Progress


async def test_all_who_wait_are_woken_once() -> None:
    progress = Progress(5)
    waiting = [asyncio.create_task(progress.change()) for _ in range(3)]
    await asyncio.sleep(0)
    progress.reached(5)  # nothing new
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    progress.reached(6)
    await asyncio.wait_for(asyncio.gather(*waiting), 1)
    assert progress.last_id == 6
