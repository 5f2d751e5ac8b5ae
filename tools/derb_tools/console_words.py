"""What the lines on a node's console mean: resets, panics, tracebacks, breadcrumbs, readings and frames. Pure.

The ROM's and ESP-IDF's words: "ESP32 Technical Reference Manual", reset reasons; "ESP-IDF Programming Guide", fatal errors.
"""

import re
from collections.abc import Callable, Iterator

from derb_gateway.bodies import BODIES
from derb_gateway.frame import FrameError, decode_unsigned
from derb_gateway.readings import KIND_NAMES
from derb_gateway.wire import NumberError

_RESETS = {
    "POWERON_RESET": "power came, or reset (EN) was pressed: RTC memory is new",
    "SW_RESET": "the firmware asked for it, or a panic ended in it",
    "SW_CPU_RESET": "the firmware asked for it (machine.reset), or a panic or the task watchdog ended in it",
    "OWDT_RESET": "an old watchdog",
    "DEEPSLEEP_RESET": "it woke from deep sleep",
    "TG0WDT_SYS_RESET": "watchdog: the firmware hung with interrupts on",
    "TG1WDT_SYS_RESET": "watchdog: the firmware hung with interrupts off, or flash did not answer",
    "RTCWDT_RTC_RESET": "RTC watchdog: it hung while it started; a weak supply does that",
    "RTCWDT_SYS_RESET": "RTC watchdog: it hung while it started; a weak supply does that",
    "RTCWDT_BROWN_OUT_RESET": "the supply broke down: battery, cable, a radio that draws too much",
    "USB_UART_CHIP_RESET": "the laptop reset it over USB",
}
_PANICS = {
    "LoadProhibited": "it read where nothing is: a fault of the firmware or of a driver",
    "StoreProhibited": "it wrote where nothing is: a fault of the firmware or of a driver",
    "IllegalInstruction": "its code is damaged, or the image is another chip's: flash it anew",
    "InstrFetchProhibited": "it jumped where no code is: the image is damaged, flash it anew",
    "IntegerDivideByZero": "a division by zero in native code",
    "Interrupt wdt timeout": "interrupts were off for too long",
    "Cache disabled": "code in flash ran while flash was being written",
    "Unhandled debug exception": "mostly a stack that was too small",
}
_PLAIN = (
    ("Brownout detector was triggered", "the supply broke down: battery, cable, a radio that draws too much"),
    (
        "Task watchdog got triggered",
        "the firmware did not come to its end in the time it gave itself; the next wake rests first",
    ),
    ("invalid header: 0xffffffff", "there is no firmware in flash: `derb flash`"),
    ("waiting for download", "the board is in its loader: let go of BOOT and press reset"),
    ("flash read err", "flash does not answer: GPIO 12 pulled high at reset, or a broken chip"),
    ("Backtrace:", "addresses for whoever debugs the image, with its .elf file"),
    ("Rebooting...", "it starts anew by itself"),
    ("abort() was called", "ESP-IDF gave up: the lines before say why"),
    ("press a key within", "a cold start: for 3 seconds any key gives a prompt"),
    ("awake for", "a prompt was asked for: it stays awake so long, then goes back to work"),
)
_EXCEPTIONS = (
    ("MemoryError", "its heap was full; often after many hours: `derb selftest` shows what a wake needs"),
    ("ImportError", "a file of the firmware is missing: flash it anew"),
    ("SyntaxError", "a file of the firmware is damaged, or for another MicroPython: flash it anew"),
    ("OSError: [Errno 19]", "ENODEV: a chip on the I2C bus does not answer: wires, power, address"),
    ("OSError: [Errno 116]", "ETIMEDOUT: a chip or the network did not answer in time"),
    ("OSError: [Errno 28]", "ENOSPC: flash is full"),
    ("OSError: [Errno 5]", "EIO: a chip, or flash, answered with an error"),
    ("OSError: -202", "the network's name server does not know the broker's name"),
    ("OSError: (-0x1102", "ESP_ERR_NVS_NOT_FOUND: settings or key were never written: `derb provision`"),
    ("OSError: (-4354", "ESP_ERR_NVS_NOT_FOUND: settings or key were never written: `derb provision`"),
    ("ConfigError", "its settings do not fit; the text names every one that is wrong"),
    ("SensorError", "the sensor is absent, another chip, or does not answer: `derb selftest`"),
    ("KeyboardInterrupt", "somebody sent Ctrl-C in the window after reset; press reset and send another key"),
)
PHASES = (
    "",
    "load",
    "battery",
    "sense",
    "keep",
    "radio",
    "name",
    "connect",
    "TLS",
    "exchange",
    "orders",
    "settle",
    "sleep",
)
_CAUSES = (
    "",
    "it died (watchdog, panic, brownout, reset)",
    "an exception",
    "no memory",
    "it was interrupted",
)
_LEVELS = (
    "all is as it should be",
    "nothing remembered, nothing obeyed",
    "only its provisioned settings",
    "no sensing",
    "no sensing, another firmware would be welcome",
)
_RESET_CAUSES = ("", "power-on", "reset", "watchdog", "deep sleep", "soft reset")
_WAKE_REASONS = {2: "pin", 3: "pin", 4: "timer", 5: "touch"}
_RESET = re.compile(r"\brst:0x[0-9a-f]+ \((\w+)\)")
_PANIC = re.compile(r"Guru Meditation Error: Core +(\d) panic'ed \(([^)]+)\)")
_RAISED = re.compile(r"^([A-Z]\w*(?:Error|Exception|Interrupt|Exit|Failure|Refused))(?::|$)")
_HEX = re.compile(r"\b(?:[0-9a-f]{2}){13,240}\b")


def explain(line: str) -> Iterator[str]:
    """What a line means, in words; nothing for a line that says it itself."""
    words = line.split()
    if words[:1] == ["derb"]:
        yield from _of_node(words[1:])
        return
    if found := _RESET.search(line):
        yield _RESETS.get(found[1], "a reset that this version does not know")
    if found := _PANIC.search(line):
        yield f"panic on core {found[1]}: " + next(
            (told for sign, told in _PANICS.items() if sign in found[2]), found[2]
        )
    yield from (told for sign, told in _PLAIN if sign in line)
    if _RAISED.match(line):
        yield next(
            (told for sign, told in _EXCEPTIONS if line.startswith(sign)),
            "an exception ended the wake; the node rests",
        )
    for found in _HEX.finditer(line):
        yield from _of_frame(found[0])


def _of_node(words: list[str]) -> Iterator[str]:
    name, *values = words or [""]
    teller = _TELLERS.get(name)
    if teller is None:
        return
    try:
        yield teller(*values)
    except (ValueError, TypeError, IndexError, NumberError):
        return  # another version's words, or damaged ones: the line itself is all there is


def _of_frame(digits: str) -> Iterator[str]:
    try:
        uplink = decode_unsigned(bytes.fromhex(digits))
    except FrameError:
        return
    readings = "; ".join(
        f"{reading.sequence}: {_body(reading.body.to_json())}" for reading in uplink.readings
    )
    yield f"uplink, {KIND_NAMES[uplink.kind]}, boot {uplink.boot}: {readings}"


def _body(fields: dict[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in fields.items())


def _phase(number: str) -> str:
    return PHASES[int(number)]


def _woke(cause: str, reason: str) -> str:
    by = _WAKE_REASONS.get(int(reason))
    return f"a wake begins, after {_RESET_CAUSES[int(cause)]}" + (f" by {by}" if by else "")


def _level(level: str, phase: str, cause: str) -> str:
    return f"safe mode {level}, {_LEVELS[int(level)]}: the last failure was in {_phase(phase)}, {_CAUSES[int(cause)]}"


def _rest(phase: str, failures: str, starts: str) -> str:
    cold = f", {starts} cold starts in a row without a sleep: its power fails" if int(starts) > 1 else ""
    return f"it rests, as the last wake failed in {_phase(phase)} ({failures} failures so far{cold})"


def _kept(boot: str, sequence: str, kind: str, payload: str, _at: str) -> str:
    raw = bytes.fromhex(payload)
    (reading, *_) = BODIES[int(kind)](raw, 0, len(raw), int(sequence), 0)
    return f"reading {boot}:{sequence}, {KIND_NAMES[int(kind)]}: {_body(reading.body.to_json())}"


def _slept(ms: str) -> str:
    return f"the wake is over: it sleeps for {int(ms) / 1000:g} s"


_TELLERS: dict[str, Callable[..., str]] = {
    "wake": _woke,
    "level": _level,
    "rest": _rest,
    "kept": _kept,
    "sleep": _slept,
    "sent": lambda boot, last, count, size: f"a frame of {size} bytes with {count} readings, up to {boot}:{last}",
    "done": lambda boot, sequence: f"the gateway's receipt for {boot}:{sequence}: it is safe there",
    "safe": lambda boot, sequence: f"{boot}:{sequence} is on flash",
    "failed": lambda *said: f"it could not deliver: {' '.join(said)}; it tries again later",
    "gated": lambda mv: f"{mv} mV is below radio_min_mv: it does not transmit, which could be what resets the chip",
    "flash": lambda errors: f"flash refused {errors} times; the readings stay in RTC memory",
    "odd": lambda refused, damaged: f"{refused} downlinks refused, {damaged} bytes damaged in the outbox",
}  # fmt: skip
