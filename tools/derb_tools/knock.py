"""Getting in: from a port to a node's prompt, through the few seconds in which the node lets a technician in.

A node sleeps, and while it works it hears no key. After a reset it waits for one for three seconds (firmware/derb/door.py).
So we knock all the time until a prompt comes, and reset the board ourselves where its circuit allows.
"""

import time
from collections.abc import Callable

from derb_tools.errors import NodeSilent, PortError
from derb_tools.timed_port import TimedPort
from derb_tools.usb_port import is_there

PROMPT = b">>> "
WINDOW = b"press a key"
_KNOCK = (
    b"\r\x02"  # Ctrl-B leaves a raw prompt that somebody left behind; at the door it is a key as any other
)
_STOP = b"\x03\r\x02"  # never to a node that may be starting: Ctrl-C there ends the wake in sleep
_KNOCK_EVERY_S = 0.1
_QUICK_S = 0.4
_RESET_HEARD_S = 6.0
_TAIL_BYTES = 4000

PRESS = "press reset (EN) on the node now: it lets us in for 3 seconds after a reset"
_PLUG_IN = "the port is not there: the node sleeps, or is unplugged; press reset (EN), and look at the cable"
_HINTS = (
    (b"waiting for download", "the board is in its loader: let go of BOOT and press reset"),
    (b"invalid header: 0xffffffff", "nothing is flashed on it: `derb flash` first"),
    (b"Brownout detector", "its supply breaks down (brownout): another cable, another battery"),
    (
        b"ImportError",
        "its firmware is incomplete (ImportError at start): `derb flash` it anew; that saves the readings which it holds",
    ),
    (b"derb rest", "it rests after a failed wake: press reset once more, and `derb monitor` says why"),
)

Tell = Callable[[str], None]


class Knocker:
    """One attempt to get in at `device`; `tell` is called with what the technician should do."""

    def __init__(self, device: str, tell: Tell, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._device = device
        self._tell = tell
        self._now_s = monotonic_s
        self._port: TimedPort | None = None
        self._heard = b""

    def enter(self, wait_s: float, *, may_reset: bool = True) -> TimedPort:
        """The open port of a node that shows its prompt. NodeSilent after `wait_s`, PortError."""
        until_s = self._now_s() + wait_s
        if not is_there(self._device):
            self._tell(f"{self._device}: {_PLUG_IN}")
        try:
            if self._is_in(_KNOCK, _QUICK_S) or self._is_in(_STOP, _QUICK_S):
                return self._ours()
            if may_reset and self._port and self._port.pulse_reset() and self._is_in(_KNOCK, _RESET_HEARD_S):
                return self._ours()
            self._tell(PRESS)
            if self._is_in(_KNOCK, until_s - self._now_s()):
                return self._ours()
        except BaseException:
            self._close()
            raise
        self._close()
        raise NodeSilent(f"{self._device}: no prompt within {wait_s:.0f} s. {self._guess()}")

    def _is_in(self, knock: bytes, seconds: float) -> bool:
        """Knock until the prompt comes or time is over; the port may vanish and come again meanwhile."""
        until_s = self._now_s() + seconds
        next_s = 0.0
        while self._now_s() < until_s:
            port = self._open()
            if port is None:
                time.sleep(_KNOCK_EVERY_S)
                continue
            try:
                if self._now_s() >= next_s:
                    port.write(knock)
                    next_s = self._now_s() + _KNOCK_EVERY_S
                self._heard = (self._heard + port.read_some())[-_TAIL_BYTES:]
            except OSError:
                self._close()
                self._tell(_PLUG_IN)
                continue
            if self._heard.endswith(PROMPT):
                return True
        return False

    def _open(self) -> TimedPort | None:
        if self._port is None and is_there(self._device):
            try:
                self._port = TimedPort.open(self._device)
            except PortError:
                if is_there(self._device):
                    raise
        return self._port

    def _ours(self) -> TimedPort:
        assert self._port is not None
        port, self._port = self._port, None
        return port

    def _close(self) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None

    def _guess(self) -> str:
        for sign, hint in _HINTS:
            if sign in self._heard:
                return f"Heard: {hint}."
        if WINDOW in self._heard:
            return "It offered its window and did not hear our key: is the RX wire of the cable sound?"
        if self._heard:
            return "Something was heard but no Derb node's window: is it the right board, at 115200 baud?"
        return "Nothing was heard: is it powered, is the cable one with data wires, is it this port?"
