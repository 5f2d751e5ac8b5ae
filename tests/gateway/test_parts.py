"""Tasks by name: an unexpected end is noticed, an expected one is not."""

import asyncio

import pytest
from derb_gateway.parts import Parts


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def _fails() -> None:
    raise ValueError("broken")


async def test_the_error_of_a_task_that_ends_by_itself_comes_out(caplog: pytest.LogCaptureFixture) -> None:
    parts = Parts()
    parts.start("a", _for_ever())
    parts.start("b", _fails())
    with pytest.raises(ValueError, match="broken"):
        await asyncio.wait_for(parts.one_ends(), 5)
    assert [record.__dict__["task"] for record in caplog.records] == ["b"]
    await parts.cancel_all()


async def test_a_task_that_was_let_go_ends_nothing_and_its_name_is_free_again() -> None:
    parts = Parts()
    told = asyncio.Event()

    async def until_told() -> None:
        await told.wait()

    parts.start("a", until_told())
    watching = asyncio.create_task(parts.one_ends())
    told.set()
    assert await parts.finish(5, "a") == []
    await parts.cancel("a")
    parts.start("a", _for_ever())
    await asyncio.sleep(0)
    assert not watching.done()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await parts.cancel_all()


async def test_who_does_not_end_in_time_is_named() -> None:
    parts = Parts()
    parts.start("slow", _for_ever())
    assert await parts.finish(0.001, "slow", "unknown") == ["slow"]
    await parts.cancel_all()


async def test_to_cancel_nothing_is_not_to_cancel_all() -> None:
    parts = Parts()
    parts.start("a", _for_ever())
    await parts.cancel()
    assert await parts.finish(0.001, "a") == ["a"]
    await parts.cancel_all()
