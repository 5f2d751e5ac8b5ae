"""`machine.UART` of the ESP32 port: written to the supervisor, read from what it has prepared."""

import io

import dev_uart_ranger
import sim_pin
import simctl

_STREAM_POLL = 3
_POLL_RD = 1

_waiting = {}
_wired = {}  # gpio that receives: device
_clock = None


def wire(rx, device):
    """Put a device on a pin: it has `sent(from_us, to_us)`, at 9,600 baud."""
    _wired[rx] = device


def setup(waiting, clock):
    """`waiting`: bytes to be read, by UART number."""
    global _clock
    _clock = clock
    for number, received in waiting.items():
        _waiting[int(number)] = bytearray(bytes.fromhex(received))


class UART:
    INV_TX = 0x20
    INV_RX = 0x04

    def __init__(
        self,
        id,
        baudrate=115_200,
        bits=8,
        parity=None,
        stop=1,
        *,
        tx=None,
        rx=None,
        rxbuf=256,
        timeout=0,
        **_,
    ):
        if id not in (0, 1, 2):
            raise ValueError("UART(%d) does not exist" % id)
        for pin in (tx, rx):
            if pin is not None:
                sim_pin.gpio_of(pin)
        self._id = id
        self._received = _waiting.setdefault(id, bytearray())
        self._device = None if rx is None else _wired.get(sim_pin.gpio_of(rx))
        self._garbles = baudrate != dev_uart_ranger.BAUD or bits != 8 or parity is not None
        self._rxbuf = rxbuf
        self._heard_us = _clock.street_now_us()

    def init(self, **_):
        pass

    def _hear(self):
        """Fetch what the device has sent since; what the buffer has no room for is lost, as on the chip."""
        if self._device is None:
            return
        now_us = _clock.street_now_us()
        heard = self._device.sent(self._heard_us, now_us)
        self._heard_us = now_us
        for byte in heard:
            if len(self._received) < self._rxbuf:
                self._received.append(byte ^ 0xA6 if self._garbles else byte)

    def any(self):
        self._hear()
        return len(self._received)

    def read(self, count=None):
        self._hear()
        if not self._received:
            return None
        count = len(self._received) if count is None else min(count, len(self._received))
        got = bytes(self._received[:count])
        self._received[:] = self._received[count:]
        return got

    def readline(self):
        self._hear()
        end = self._received.find(b"\n")
        return self.read(None if end < 0 else end + 1)

    def readinto(self, buf, count=None):
        got = self.read(len(buf) if count is None else count)
        if got is None:
            return None
        buf[: len(got)] = got
        return len(got)

    def write(self, sent):
        sent = sent.encode() if isinstance(sent, str) else bytes(sent)
        simctl.uart_out(self._id, sent)
        return len(sent)

    def flush(self):
        pass

    def deinit(self):
        pass


class _Console(io.IOBase):
    """What `sys.stdin` is on the board, as far as somebody waits for it."""

    def ioctl(self, op, argument):
        if op != _STREAM_POLL:
            return -1
        return argument & _POLL_RD if _waiting.get(0) else 0


console = _Console()
