"""The pins of a classic ESP32 and what is wired to them."""

import sys

import micropython

import simctl

IN = 1
OUT = 3
OPEN_DRAIN = 7
PULL_DOWN = 1
PULL_UP = 2
IRQ_RISING = 1
IRQ_FALLING = 2

_GPIOS = tuple(range(20)) + (21, 22, 23, 25, 26, 27) + tuple(range(32, 40))
_FLASH_GPIOS = (
    6,
    7,
    8,
    9,
    10,
    11,
)  # wired to the module's flash chip: ESP32-WROOM-32 data sheet, section 3.1
_INPUT_ONLY_GPIOS = (34, 35, 36, 37, 38, 39)
RTC_GPIOS = (0, 2, 4, 12, 13, 14, 15, 25, 26, 27, 32, 33, 34, 35, 36, 37, 38, 39)
ADC1_GPIOS = (32, 33, 34, 35, 36, 37, 38, 39)
ADC2_GPIOS = (0, 2, 4, 12, 13, 14, 15, 25, 26, 27)


def check(gpio):
    """Return `gpio` if the chip has it and it is free to use, else raise ValueError."""
    if gpio not in _GPIOS or gpio in _FLASH_GPIOS:
        raise ValueError("invalid pin")
    return gpio


def check_output(gpio):
    if gpio in _INPUT_ONLY_GPIOS:
        raise ValueError("pin can only be input")


class Line:
    """One GPIO: its configuration, what drives it from outside, and who wants to know of its edges."""

    def __init__(self, gpio):
        self.gpio = gpio
        self.mode = None
        self.pull = None
        self.out = 0
        self.driver = None  # has level(street_us), next_edge_us(from_us, to_us)
        self.listener = None  # callable(level, street_us): a device that the pin drives
        self.handler = None
        self.trigger = 0
        self.handler_pin = None
        self.seen = 0


class Pins:
    """All lines of the board on one clock."""

    def __init__(self, clock):
        self._clock = clock
        self._lines = {}
        self._watched = []

    def line(self, gpio):
        if gpio not in self._lines:
            self._lines[gpio] = Line(gpio)
        return self._lines[gpio]

    def level(self, line):
        if line.mode is None:
            simctl.violation("pin %d is read before it is configured" % line.gpio)
        if self._clock.in_interrupt:  # the handler may not allocate, but the world it looks at may
            micropython.heap_unlock()
            level = self.level_at(line, self._clock.street_now_us())
            micropython.heap_lock()
            return level
        return self.level_at(line, self._clock.street_now_us())

    def level_at(self, line, street_us):
        if line.mode == OUT:
            return line.out
        if line.driver:
            return line.driver.level(street_us)
        if line.pull is None:
            return (street_us >> 7 ^ street_us >> 3) & 1  # floats: reads anything
        return 1 if line.pull == PULL_UP else 0

    def drive(self, line, level):
        if line.mode not in (OUT, OPEN_DRAIN):
            simctl.violation("pin %d is written but is not an output" % line.gpio)
        line.out = level
        if line.listener:
            line.listener(level, self._clock.street_now_us())

    def watch(self, line, pin, handler, trigger):
        if line.mode is None:
            simctl.violation("pin %d has an interrupt but is not configured" % line.gpio)
        line.handler, line.trigger, line.handler_pin = handler, trigger, pin
        line.seen = self.level(line)
        self._watched = [each for each in self._lines.values() if each.handler]
        self._clock.deliver = self.deliver if self._watched else None

    def wakes_at(self, gpio, level, from_us, to_us):
        """When a line has `level` for the first time in that span of street time, or None."""
        line = self.line(gpio)
        if self.level_at(line, from_us) == level:
            return from_us
        edge_us = line.driver.next_edge_us(from_us, to_us) if line.driver else None
        if edge_us is not None and self.level_at(line, edge_us) == level:
            return edge_us
        return None

    def next_edge_us(self, from_us, to_us):
        """When the next watched line changes, in time of the wake, or None."""
        first = None
        zero_us = self._clock.street_us
        for line in self._watched:
            if line.driver:
                edge_us = line.driver.next_edge_us(zero_us + from_us, zero_us + to_us)
                if edge_us is not None and (first is None or edge_us < first):
                    first = edge_us
        return None if first is None else first - zero_us

    def deliver(self):
        """Run the handlers whose edges have come."""
        street_us = self._clock.street_now_us()
        for line in self._watched:
            level = self.level_at(line, street_us)
            if level != line.seen:
                line.seen = level
                if line.trigger & (IRQ_RISING if level else IRQ_FALLING):
                    self._interrupt(line)

    def _interrupt(self, line):
        # Stricter than the ESP32, which runs handlers as scheduled callbacks: here they may not
        # allocate, as in a
        # hard interrupt, and an error in one ends the wake instead of being printed and forgotten.
        handler, pin = line.handler, line.handler_pin
        self._clock.in_interrupt = True
        micropython.heap_lock()
        try:
            handler(pin)
            micropython.heap_unlock()
        except BaseException as error:
            micropython.heap_unlock()
            sys.print_exception(error)
            self._clock.end("crash")
        self._clock.in_interrupt = False
