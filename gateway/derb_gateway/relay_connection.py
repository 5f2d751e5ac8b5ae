"""One relay: find its port, speak with it, notice that it went, find it again."""

import asyncio
import contextlib
import errno
import logging
import os
import termios
from typing import Protocol

import serial

from derb_gateway import relay_ports
from derb_gateway.clock import Clock
from derb_gateway.config import RelaySettings
from derb_gateway.errors import RelayAway
from derb_gateway.relay_line import Ended, Line
from derb_gateway.relay_messages import RelayUplink, SelfDescription
from derb_gateway.relay_ports import Lister

log = logging.getLogger(__name__)

RETRY_S = 1.0
_TURN_S = 0.1
_STALLED_S = 1.0
_READ_BYTES = 4096
_LOST = ("dropped", "air_dropped", "air_vanished")


class Owner(Protocol):
    """What a relay's uplinks and answers are for."""

    def heard(self, relay: "RelayConnection", uplink: RelayUplink, waited_s: float) -> bool:
        """Take an uplink that may have waited in the port for so long; False: not now, it shall come again."""

    def ended(self, relay: "RelayConnection", order: Ended) -> None:
        """Hear what became of a downlink."""

    def described(self, relay: "RelayConnection") -> None:
        """Hear that the relay spoke of itself."""


class RelayConnection:
    """`run` is its life; `claimed` holds the devices that the gateway's relays have open."""

    def __init__(
        self,
        settings: RelaySettings,
        owner: Owner,
        clock: Clock,
        claimed: set[str],
        ports: Lister = relay_ports.usb_ports,
    ) -> None:
        self.name = settings.name
        self.line: Line | None = None
        self.description: SelfDescription | None = None
        self.device: str | None = None
        self._settings = settings
        self._owner = owner
        self._clock = clock
        self._claimed = claimed
        self._ports = ports
        self._told = ""
        self._refused: dict[str, str] = {}

    @property
    def trouble(self) -> str:
        """Return why the relay is not there, empty if it is."""
        return self._told

    @property
    def up(self) -> bool:
        """Return whether the relay is there and has spoken."""
        return self.line is not None and self.line.description is not None

    async def run(self) -> None:
        """Connect again and again; ends only by cancellation."""
        while True:
            try:
                await self._session(self._find(await asyncio.to_thread(self._look)))
            except RelayAway as away:
                self._tell(str(away))
            await asyncio.sleep(RETRY_S)

    def send(self, node: str, frame: bytes, hold_s: int = 0) -> bool:
        """Hand on a downlink; False if the relay is not there."""
        if self.line is None or not self.up:
            return False
        self.line.send(node, frame, hold_s)
        return True

    def _look(self) -> list[str]:
        return relay_ports.candidates(self._settings, self._ports)

    def _find(self, devices: list[str]) -> str:
        """Return a device that nobody has, rather one that was not found to be something else. RelayAway."""
        free = [each for each in devices if relay_ports.device_of(each) not in self._claimed]
        if not free:
            self._refused.clear()
            raise RelayAway(f"not plugged in: {relay_ports.wanted(self._settings)}")
        fresh = [each for each in free if each not in self._refused]
        if not fresh:
            self._refused.clear()
            fresh = free
        return fresh[0]

    async def _session(self, device: str) -> None:
        """One connection from beginning to end; always ends as RelayAway."""
        place = relay_ports.device_of(device)
        self._claimed.add(place)
        port = None
        try:
            port = _open(device, self._settings.baud)
            await self._speak(port, device)
        except RelayAway as away:
            self._refused[device] = str(away)
            raise
        finally:
            self.line = None
            self._claimed.discard(place)
            if port is not None:
                with contextlib.suppress(OSError, termios.error):  # it may be gone already
                    port.close()

    async def _speak(self, port: serial.Serial, device: str) -> None:
        line = Line(self._clock.monotonic_s(), self._settings.channel)
        wire = _Wire(port.fileno())
        # Nothing is claimed of the relay that was here before this one spoke.
        self.line = line
        turned_s = self._clock.monotonic_s()
        while True:
            received = await wire.read(_TURN_S)
            now_s = self._clock.monotonic_s()
            waited_s = now_s - turned_s if now_s - turned_s > _STALLED_S else 0.0
            turned_s = now_s
            for event in line.received(received, now_s):
                self._hear(line, event, waited_s, device)
            if line.silent(now_s):
                said = f"; it printed: {line.text[-200:]}" if line.text else ""
                raise RelayAway(f"{device} says nothing that a relay would{said}")
            frames, given_up = line.due(now_s)
            wire.write(frames)
            for order in given_up:
                self._owner.ended(self, order)

    def _hear(
        self, line: Line, event: SelfDescription | RelayUplink | Ended, waited_s: float, device: str
    ) -> None:
        if isinstance(event, SelfDescription):
            self._described(event, device)
        elif isinstance(event, Ended):
            self._owner.ended(self, event)
        elif self._owner.heard(self, event, waited_s):
            line.take(event.number)

    def _described(self, now: SelfDescription, device: str) -> None:
        if self._settings.id not in (None, now.relay):
            raise RelayAway(f"{device} is relay {now.relay}, not {self._settings.id}")
        before, self.description, self.device = self.description, now, device
        if before is None or self._told:
            self._told = ""
            self._refused.clear()
            extra = {
                "relay": self.name,
                "id": now.relay,
                "at": device,
                "channel": now.channel,
                "chip": now.chip,
            }
            log.info("relay connected", extra=extra)
        if before is not None and before.start != now.start:
            log.warning("relay started anew", extra={"relay": self.name, "after_s": before.uptime_s})
        elif before is not None:
            self._warn_of_losses(before, now)
        if self._settings.channel not in (None, now.channel) and (
            before is None or before.start != now.start
        ):
            log.info("relay changes its channel", extra={"relay": self.name, "to": self._settings.channel})
        self._owner.described(self)

    def _warn_of_losses(self, before: SelfDescription, now: SelfDescription) -> None:
        lost = {name: now.counters.get(name, 0) - before.counters.get(name, 0) for name in _LOST}
        if any(count > 0 for count in lost.values()):
            log.warning("relay lost packets", extra={"relay": self.name, **lost})
        if now.counters.get("radio_restarts", 0) > before.counters.get("radio_restarts", 0):
            log.warning("relay restarted its radio", extra={"relay": self.name})

    def _tell(self, why: str) -> None:
        """Log a change, not each attempt."""
        if why != self._told:
            self._told = why
            log.warning("relay is away", extra={"relay": self.name, "why": why})


class _Wire:
    """A serial port's descriptor without waiting; RelayAway when it is gone."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._unwritten = bytearray()
        os.set_blocking(fd, False)

    async def read(self, timeout_s: float) -> bytes:
        """Return what is there or comes within so long, else nothing."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_reader(self._fd, ready.set)
        try:
            async with asyncio.timeout(timeout_s):
                await ready.wait()
        except TimeoutError:
            return b""  # a terminal's read would say the same as at its end
        finally:
            loop.remove_reader(self._fd)
        return self._read_now()

    def _read_now(self) -> bytes:
        try:
            received = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise RelayAway(f"unplugged: {error.strerror}") from error
        if not received:
            raise RelayAway("unplugged")
        return received

    def write(self, frames: bytes) -> None:
        """Write what can be written, and keep the rest."""
        self._unwritten += frames
        if not self._unwritten:
            return
        try:
            written = os.write(self._fd, self._unwritten)
        except BlockingIOError:
            return
        except OSError as error:
            raise RelayAway(f"unplugged: {error.strerror}") from error
        del self._unwritten[:written]


def _open(device: str, baud: int) -> serial.Serial:
    """Return the open port, ours alone. RelayAway."""
    try:
        return serial.Serial(device, baud, timeout=0, write_timeout=0, exclusive=True)
    except serial.SerialException as error:
        if error.errno == errno.EACCES:
            why = "may not be opened: put the gateway's user into the group dialout"
        elif error.errno == errno.ENOENT:
            why = "is gone"
        else:
            why = f"cannot be opened, another program may have it: {error}"
        raise RelayAway(f"{device} {why}") from error
    except (OSError, termios.error) as error:  # it went away in the middle of being set up
        raise RelayAway(f"{device} cannot be opened: {error}") from error
