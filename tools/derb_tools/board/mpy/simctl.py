"""What the simulated board tells its supervisor, over a pipe whose descriptor is its first argument.

The order comes from stdin, or from the descriptor that is its second argument.

One line a message: a letter, a space, JSON. Every end of a wake goes through `end()`, which never returns: it
waits for the supervisor's SIGKILL, so that no `finally` or `except` of the firmware runs after the power has
gone.
"""

import json
import os as _real_os
import sys

_LENGTH_DIGITS = 8

_pipe = open(int(sys.argv[1]), "wb")
_stdin = open(int(sys.argv[2]) if len(sys.argv) > 2 else 0, "rb")


def order():
    """What the supervisor wants: a length in 8 digits, then JSON; None at its end.

    A forked board comes to life inside the first read.
    """
    digits = _stdin.read(_LENGTH_DIGITS)
    return json.loads(_stdin.read(int(digits))) if digits else None


class Stats:
    """Counts of one wake, sent with each message that may be the last one."""

    def __init__(self):
        self.programs = 0
        self.erases = 0
        self.nvs_writes = 0
        self.wifi_connects = 0
        self.wifi_on_us = 0
        self.tx_bytes = 0
        self.rx_bytes = 0
        self.wifi_since_us = None


stats = Stats()


def _send(letter, content):
    try:
        _pipe.write((letter + " " + json.dumps(content) + "\n").encode())
    except OSError:  # the supervisor is dead; nothing that the firmware could catch would end this process
        _real_os.system("kill -9 $PPID")


def beat(us, rtc_us, wdt_left_us):
    """Say that the board looks at its clock, and when the watchdog will bite (None: not armed)."""
    _send("B", {"us": us, "rtc_us": rtc_us, "wdt_left_us": wdt_left_us, "stats": stats.__dict__})


def image_made():
    """Say that the image asked for is there."""
    _send("I", None)


def rtc_set(us, rtc_us):
    """Say that the firmware has set the clock, which a later kill must not undo."""
    _send("R", {"us": us, "rtc_us": rtc_us})


def uart_out(uart, sent):
    """Pass on what the firmware wrote to a UART."""
    _send("U", {"uart": uart, "hex": sent.hex()})


def violation(text):
    """Report a use of the hardware that a strict board does not allow, and raise RuntimeError.

    The report cannot be swallowed by the firmware's own error handling.
    """
    _send("V", text)
    raise RuntimeError(text)


def end(kind, **content):
    """End this wake: tell why, and wait for the kill."""
    content["kind"] = kind
    content["stats"] = stats.__dict__
    _send("E", content)
    while _stdin.read(1):
        pass
    while True:  # the supervisor has gone
        _send("X", None)
