"""Keeping a connection: connect, stay, wait, connect again. Knows nothing of MQTT."""

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable

from derb_gateway.backoff import FullJitter
from derb_gateway.errors import BrokerError, BrokerRefused

log = logging.getLogger(__name__)

_REFUSED_WAIT_S = 30.0

# One connection from beginning to end: calls its argument once it is up, raises BrokerError at its end.
Session = Callable[[Callable[[], None]], Awaitable[None]]


class State(enum.Enum):
    """Where a connection is in its life."""

    IDLE = "idle"
    CONNECTING = "connecting"
    UP = "up"
    WAITING = "waiting"
    STOPPED = "stopped"


class Reconnect:
    """Runs sessions one after the other until it is cancelled."""

    def __init__(
        self,
        name: str,
        session: Session,
        jitter: FullJitter,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_state: Callable[[State], None] = lambda _: None,
    ) -> None:
        self.state = State.IDLE
        self.failures = 0
        self.why = ""
        self._name = name
        self._session = session
        self._jitter = jitter
        self._sleep = sleep
        self._on_state = on_state

    async def run(self) -> None:
        """Connect again and again; ends only by cancellation."""
        try:
            while True:
                self._enter(State.CONNECTING)
                wait_s = await self._one_session()
                self._enter(State.WAITING)
                await self._sleep(wait_s)
        finally:
            self._enter(State.STOPPED)

    async def _one_session(self) -> float:
        """Return how long to wait after a session has ended."""
        try:
            await self._session(self._up)
        except BrokerRefused as error:
            self._failed(error)
            return _REFUSED_WAIT_S
        except BrokerError as error:
            self._failed(error)
        return self._jitter.next_s()

    def _failed(self, error: BrokerError) -> None:
        self.failures += 1
        self.why = str(error)
        log.warning("connection lost", extra={"to": self._name, "state": self.state.value, "why": str(error)})

    def steady(self) -> None:
        """Say that the connection has lived for a while: only then do the waits begin anew."""
        self._jitter.reset()

    def _up(self) -> None:
        self._enter(State.UP)
        log.info("connected", extra={"to": self._name})

    def _enter(self, state: State) -> None:
        self.state = state
        self._on_state(state)
