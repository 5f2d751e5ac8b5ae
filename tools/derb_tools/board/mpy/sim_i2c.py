"""`machine.I2C` and `machine.SoftI2C` of the ESP32 port, with the devices wired to their pins."""

import errno

import sim_pin
import simctl
import simpins

_MAX_HZ = 400_000  # of every chip simulated here
_BITS_A_BYTE = 9

_clock = None
_wired = []  # (scl, sda, device)


def setup(clock):
    global _clock
    _clock = clock


def wire(scl, sda, device):
    """Put a device on a bus. It has `address`, `write(sent, street_us)` and
    `read(count, street_us, byte_us)`"""
    _wired.append((scl, sda, device))


class _Bus:
    def _start(self, scl, sda, freq):
        if freq > _MAX_HZ:
            simctl.violation("I2C at %d Hz is too fast for the chips on it" % freq)
        self._scl, self._sda = sim_pin.gpio_of(scl), sim_pin.gpio_of(sda)
        simpins.check_output(self._scl)
        simpins.check_output(self._sda)
        self._byte_ns = _BITS_A_BYTE * 1_000_000_000 // freq

    def _device(self, address):
        for scl, sda, device in _wired:
            if scl == self._scl and sda == self._sda and device.address == address:
                return device
        self._pass_bytes(1)
        raise OSError(errno.ENODEV)

    def _pass_bytes(self, count):
        _clock.charge(count * self._byte_ns // 1000)
        _clock.now_us()

    def scan(self):
        self._pass_bytes(112)
        return sorted(d.address for scl, sda, d in _wired if scl == self._scl and sda == self._sda)

    def writeto(self, addr, buf, stop=True):
        device = self._device(addr)
        device.write(bytes(buf), _clock.street_now_us())
        self._pass_bytes(1 + len(buf))
        return len(buf)

    def writevto(self, addr, vector, stop=True):
        return self.writeto(addr, b"".join(bytes(part) for part in vector), stop)

    def readfrom_into(self, addr, buf, stop=True):
        device = self._device(addr)
        got = device.read(len(buf), _clock.street_now_us(), self._byte_ns // 1000)
        self._pass_bytes(1 + len(buf))
        for i in range(len(got)):
            buf[i] = got[i]

    def readfrom(self, addr, nbytes, stop=True):
        buf = bytearray(nbytes)
        self.readfrom_into(addr, buf, stop)
        return bytes(buf)

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        self.writeto(addr, memaddr.to_bytes(addrsize // 8, "big"), False)
        self.readfrom_into(addr, buf)

    def readfrom_mem(self, addr, memaddr, nbytes, *, addrsize=8):
        buf = bytearray(nbytes)
        self.readfrom_mem_into(addr, memaddr, buf, addrsize=addrsize)
        return bytes(buf)

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        self.writeto(addr, memaddr.to_bytes(addrsize // 8, "big") + bytes(buf))


class I2C(_Bus):
    """A hardware bus: two of them, on any pins."""

    _DEFAULT_PINS = ((18, 19), (25, 26))

    def __init__(self, id, *, scl=None, sda=None, freq=400_000, timeout=50_000):
        if id not in (0, 1):
            raise ValueError("I2C(%d) doesn't exist" % id)
        default_scl, default_sda = self._DEFAULT_PINS[id]
        self._start(default_scl if scl is None else scl, default_sda if sda is None else sda, freq)


class SoftI2C(_Bus):
    def __init__(self, scl, sda, *, freq=400_000, timeout=50_000):
        self._start(scl, sda, freq)
