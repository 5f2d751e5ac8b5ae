"""To end tasks: one that missed its cancellation, one that failed, one that had ended before."""

import asyncio

import pytest
from derb_gateway import ending


async def _fails() -> None:
    raise ValueError("broken")


async def _deaf(times: int) -> None:
    for _ in range(times):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue
    await asyncio.Event().wait()


async def test_each_failure_comes_back_in_its_place() -> None:
    broken, living = asyncio.create_task(_fails()), asyncio.create_task(_deaf(0))
    await asyncio.sleep(0)
    nothing, error = await ending.end(living, broken)
    assert nothing is None
    assert str(error) == "broken"
    assert living.cancelled()


async def test_a_task_that_missed_its_cancellation_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "_AGAIN_S", 0.001)
    deaf = asyncio.create_task(_deaf(2))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await ending.end(deaf) == [None]
    assert deaf.cancelled()


async def test_to_end_nothing_is_no_work() -> None:
    assert await ending.end() == []
