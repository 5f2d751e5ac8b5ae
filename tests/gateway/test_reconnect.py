"""Reconnection, driven by a clock that stands still."""

import asyncio
from collections.abc import Callable

import pytest
from derb_gateway.backoff import FullJitter
from derb_gateway.errors import BrokerError, BrokerRefused
from derb_gateway.reconnect import Reconnect, State


class Script:
    """Sessions that end as they are told to; the sleep after the last one never ends."""

    def __init__(self, *ends: BrokerError, up: bool = False, steady: bool = False) -> None:
        self._ends = list(ends)
        self._up = up
        self._steady = steady
        self.slept: list[float] = []
        self.states: list[State] = []

    async def session(self, up: Callable[[], None]) -> None:
        if self._up:
            up()
        if self._steady:
            self.reconnect.steady()
        raise self._ends.pop(0)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if not self._ends:
            raise asyncio.CancelledError

    async def play(self) -> Reconnect:
        self.reconnect = Reconnect(
            "test", self.session, FullJitter(1.0, 8.0), sleep=self.sleep, on_state=self.states.append
        )
        with pytest.raises(asyncio.CancelledError):
            await self.reconnect.run()
        return self.reconnect


async def test_waits_grow_with_failures_and_have_an_end() -> None:
    script = Script(*[BrokerError("away")] * 40)
    reconnect = await script.play()
    assert reconnect.failures == 40
    bounds = [1.0, 2.0, 4.0, 8.0]
    assert all(0 <= wait <= bound for wait, bound in zip(script.slept, bounds, strict=False))
    assert max(script.slept) <= 8.0
    assert len(set(script.slept)) > 30  # full jitter: no two wait alike


async def test_a_connection_that_was_steady_starts_the_waits_anew() -> None:
    script = Script(*[BrokerError("away")] * 20, up=True, steady=True)
    await script.play()
    assert all(wait <= 1.0 for wait in script.slept)


async def test_a_connection_that_was_only_up_does_not() -> None:
    script = Script(*[BrokerError("away")] * 40, up=True)
    await script.play()
    assert max(script.slept) > 1.0


async def test_a_refusal_is_not_hammered() -> None:
    script = Script(BrokerRefused("not authorised"))
    await script.play()
    assert script.slept == [30.0]


async def test_it_goes_through_named_states() -> None:
    script = Script(BrokerError("away"), up=True)
    reconnect = await script.play()
    assert script.states == [State.CONNECTING, State.UP, State.WAITING, State.STOPPED]
    assert reconnect.state is State.STOPPED


async def test_a_bug_is_not_a_broker_that_is_away() -> None:
    async def session(_up: Callable[[], None]) -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        await Reconnect("test", session, FullJitter(1, 8)).run()
