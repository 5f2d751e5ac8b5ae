"""A box of boards: one port after the other, each only once it was unplugged."""

import time
from collections.abc import Callable, Iterator

from derb_gateway.relay_ports import ESP32_USB, Lister, usb_ports

_LOOK_S = 0.3

Tell = Callable[[str], None]


def boards_in_turn(
    asked: str | None, tell: Tell, ports: Lister = usb_ports, rest: Callable[[float], None] = time.sleep
) -> Iterator[str]:
    """The ports of boards as they are plugged in, without end; those with a board on them that was done are left alone."""
    done: set[str] = set()
    told = False
    while True:
        here = sorted(
            port.device
            for port in ports()
            if (port.vid or 0, port.pid or 0) in ESP32_USB and asked in (None, port.device)
        )
        done &= set(here)
        waiting = [device for device in here if device not in done]
        if waiting:
            told = False
            done.add(waiting[0])
            yield waiting[0]
            continue
        if not told:
            tell("plug the next board in; Ctrl-C ends")
            told = True
        rest(_LOOK_S)
