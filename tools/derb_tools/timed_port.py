"""A serial port under mpremote that never waits longer than it was told: mpremote itself may wait for ever."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import serial

from derb_tools.usb_port import explained

BAUD = 115_200
_READ_S = 0.2
_WRITE_S = 5.0
_RESET_PULSE_S = 0.1

Clock = Callable[[], float]


class DeadlineOver(OSError):
    """The time for what is being done over the line is over."""


class TimedPort:
    """pyserial's port as mpremote uses it; every wait ends at the deadline of `within` with DeadlineOver."""

    def __init__(self, port: Any, monotonic_s: Clock = time.monotonic) -> None:
        self._port = port
        self._now_s = monotonic_s
        self._until_s: float | None = None
        port.timeout, port.write_timeout = _READ_S, _WRITE_S

    @classmethod
    def open(cls, device: str) -> "TimedPort":
        """Open the port for us alone. PortError that says what to do."""
        try:
            return cls(serial.serial_for_url(device, BAUD, exclusive=True, timeout=_READ_S))
        except (OSError, ValueError) as error:
            raise explained(device, error if isinstance(error, OSError) else OSError(str(error))) from error

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Let nothing inside take longer; of nested limits the nearest counts."""
        before = self._until_s
        until_s = self._now_s() + seconds
        self._until_s = until_s if before is None else min(before, until_s)
        try:
            yield
        finally:
            self._until_s = before

    def read(self, count: int = 1) -> bytes:
        """Exactly so many bytes, as mpremote trusts, or DeadlineOver."""
        received = b""
        while len(received) < count:
            self._check()
            received += self._port.read(count - len(received))
        return received

    def read_some(self) -> bytes:
        """What is there by now, after a short wait for the first byte; b"" if none came."""
        return bytes(self._port.read(max(1, self._port.in_waiting)))

    def write(self, sent: bytes) -> int:
        self._check()
        return int(self._port.write(sent) or 0)

    def inWaiting(self) -> int:  # noqa: N802 - pyserial's old name, by which mpremote asks
        self._check()
        return int(self._port.in_waiting)

    @property
    def fd(self) -> int:
        """The port's descriptor, to be waited for."""
        return int(self._port.fileno())

    def pulse_reset(self) -> bool:
        """Reset the board by its auto-reset circuit, if the port has the lines for it; return whether it has."""
        try:
            self._port.dtr = False
            self._port.rts = True
            time.sleep(_RESET_PULSE_S)
            self._port.rts = False
        except OSError:
            return False  # a pseudo-terminal, or a converter without modem lines
        return True

    def close(self) -> None:
        """Let the lines go in the order that resets no board, RTS first, and close."""
        with suppress(OSError):  # it may have been pulled, or has no such lines
            self._port.rts = False
            self._port.dtr = False
        with suppress(OSError):
            self._port.close()

    def _check(self) -> None:
        if self._until_s is not None and self._now_s() >= self._until_s:
            raise DeadlineOver("nothing more came")
