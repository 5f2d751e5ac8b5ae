"""`machine.Pin` of the ESP32 port."""

import simpins

_pins = None
_objects = {}


def setup(pins):
    global _pins
    _pins = pins


def gpio_of(pin):
    """The GPIO number of a Pin or a number, as the ESP32 port's functions take both."""
    return pin.gpio if isinstance(pin, Pin) else simpins.check(pin)


class Pin:
    IN = simpins.IN
    OUT = simpins.OUT
    OPEN_DRAIN = simpins.OPEN_DRAIN
    PULL_UP = simpins.PULL_UP
    PULL_DOWN = simpins.PULL_DOWN
    IRQ_RISING = simpins.IRQ_RISING
    IRQ_FALLING = simpins.IRQ_FALLING
    DRIVE_0 = 0
    DRIVE_1 = 1
    DRIVE_2 = 2
    DRIVE_3 = 3
    WAKE_LOW = 4
    WAKE_HIGH = 5

    def __init__(self, id, mode=-1, pull=-1, *, value=None, drive=None, hold=None):
        self.gpio = gpio_of(id)
        self._line = _pins.line(self.gpio)
        self.init(mode, pull, value=value, drive=drive, hold=hold)

    def __repr__(self):
        return "Pin(%d)" % self.gpio

    def init(self, mode=-1, pull=-1, *, value=None, drive=None, hold=None):
        if mode in (self.OUT, self.OPEN_DRAIN):
            simpins.check_output(self.gpio)
        elif mode not in (-1, self.IN):
            raise ValueError("invalid pin mode")
        if pull not in (-1, None) and self.gpio >= 34:
            raise ValueError("pin has no pull resistors")  # the ESP32 ignores it silently
        if value is not None:
            self._line.out = 1 if value else 0
        if mode != -1:
            self._line.mode = mode
        if pull != -1:
            self._line.pull = pull
        if value is not None and self._line.mode == self.OUT:
            _pins.drive(self._line, self._line.out)

    def value(self, level=None):
        if level is None:
            return _pins.level(self._line)
        _pins.drive(self._line, 1 if level else 0)

    __call__ = value

    def on(self):
        _pins.drive(self._line, 1)

    def off(self):
        _pins.drive(self._line, 0)

    def irq(self, handler=None, trigger=IRQ_FALLING | IRQ_RISING, wake=None):
        if wake is not None:
            raise ValueError("use esp32.wake_on_ext0")
        _pins.watch(self._line, self, handler, trigger)
        return self
