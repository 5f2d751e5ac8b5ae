"""A simulated board at a USB cable, awake and asleep in a thread of its own, with the prompt that its chip would have."""

from __future__ import annotations

import threading

from .errors import BoardError
from .prompt_launcher import PromptLauncher
from .result import WakeResult
from .simboard import SimBoard
from .usb import UsbCable

# What the ESP32's ROM says at a reset: "ESP32 Technical Reference Manual", reset reasons.
_ROM_REASONS = {
    "power_on": (0x1, "POWERON_RESET"),
    "reset": (0xC, "SW_CPU_RESET"),
    "wdt": (0xC, "SW_CPU_RESET"),
    "timer": (0x5, "DEEPSLEEP_RESET"),
    "ext0": (0x5, "DEEPSLEEP_RESET"),
    "ext1": (0x5, "DEEPSLEEP_RESET"),
}
_WATCHDOG_SAYS = (
    b"E (65011) task_wdt: Task watchdog got triggered. The following tasks/users did not reset the watchdog in time:\r\n"
    b"E (65011) task_wdt:  - mp_task (CPU 1)\r\nE (65011) task_wdt: Aborting.\r\n\r\nRebooting...\r\n"
)
_JOIN_S = 30.0


class PluggedBoard:
    """A context manager. It begins asleep, as a node on a technician's table; `press_reset` starts it.

    After a deep sleep it waits for the button; `results` are its wakes so far.
    """

    def __init__(self, board: SimBoard, cable: UsbCable) -> None:
        self._board = board
        self._cable = cable
        self._launcher = PromptLauncher(cable.console, board.silicon.heap_kb)
        board.console, board.starter = cable.console, self._launcher
        self._pressed = threading.Event()
        self._stopping = False
        self._tail = b""
        self.results: list[WakeResult] = []
        self.failure: BoardError | OSError | None = None
        self._thread = threading.Thread(target=self._live, name="derb-plugged", daemon=True)

    def __enter__(self) -> PluggedBoard:
        self._cable.interrupt = self._launcher.interrupt
        damage = self._cable.to_laptop
        self._cable.to_laptop = lambda sent: damage(self._watched(sent))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self.press_reset()
        self._thread.join(_JOIN_S)
        if self.failure is not None:
            raise self.failure

    def press_reset(self) -> None:
        """Press the button: the power-on reset of a chip whose EN pin goes low, RTC memory included."""
        self._pressed.set()
        self._board.cut_now()

    def _live(self) -> None:
        try:
            while not self._stopping:
                self._rest()
        except (BoardError, OSError) as failure:  # told to the test, whose thread is another
            self.failure = failure

    def _rest(self) -> None:
        ended = self.results[-1].end if self.results else "deepsleep"
        if ended in ("reset", "wdt") and not self._pressed.is_set():
            due = self._board.next_wake()
            cause = due[1] if due else "power_on"
        else:
            self._pressed.wait()
            cause = "power_on"
        self._pressed.clear()
        if not self._stopping:
            self._wake(cause)

    def _wake(self, cause: str) -> None:
        if cause == "wdt":
            self._cable.say(_WATCHDOG_SAYS)
        self._board.raw_prompt = cause == "soft_reset" and self._at_raw_prompt()
        self._cable.say(b"MPY: soft reboot\r\n" if cause == "soft_reset" else _rom_words(cause))
        self.results.append(self._board.wake(cause))

    def _watched(self, sent: bytes) -> bytes:
        self._tail = (self._tail + sent)[-200:]
        if self._board.raw_prompt and self._tail.endswith(b">>> "):
            self._board.raw_prompt = False
            self._cable.type_in(b"\x01")  # the chip comes back to the raw prompt that it was at
        return sent

    def _at_raw_prompt(self) -> bool:
        return self._tail.rfind(b"raw REPL; CTRL-B to exit") > self._tail.rfind(b">>> ")


def _rom_words(cause: str) -> bytes:
    code, name = _ROM_REASONS[cause]
    return (
        f"ets Jul 29 2019 12:21:46\r\n\r\nrst:{code:#x} ({name}),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n".encode()
    )
