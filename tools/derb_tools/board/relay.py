"""A simulated relay: its firmware in MicroPython, the air on one side, a USB cable on the other."""

from __future__ import annotations

import threading
from pathlib import Path

from derb_tools.firmware_files import relay_tree

from .parts import Faults
from .result import WakeResult
from .simboard import SimBoard
from .state import Cause
from .supervise import Patience
from .usb import UsbCable


class RelayBoard:
    """A context manager: its power is on inside. It is always on, so its clock runs as the laptop's."""

    def __init__(self, folder: Path, node_id: bytes, air_port: int, faults: Faults | None = None) -> None:
        self.cable = UsbCable(folder / "port")
        self.results: list[WakeResult] = []
        self._faults = faults
        self._board = SimBoard(
            folder / "board",
            relay_tree(folder / "firmware"),
            node_id,
            air_port=air_port,
            console=self.cable.console,
            speed=1,
            patience=Patience(wake_s=None),
        )
        self._board.factory()
        self._power = threading.Event()
        self._thread: threading.Thread | None = None
        self._broken: BaseException | None = None

    @property
    def port(self) -> Path:
        """What a gateway opens, while it is plugged in."""
        return self.cable.port

    def __enter__(self) -> RelayBoard:
        self.cable.__enter__()
        self.power_on()
        return self

    def __exit__(self, *_: object) -> None:
        self.power_off()
        self.cable.__exit__()
        if self._broken is not None:
            raise self._broken

    def power_on(self) -> None:
        """Start it; a reset starts it again until `power_off()`."""
        self._power.set()
        self._thread = threading.Thread(target=self._live, name="derb-relay", daemon=True)
        self._thread.start()

    def power_off(self) -> None:
        """Cut its power, at whatever moment."""
        self._power.clear()
        while self._thread is not None and self._thread.is_alive():
            self._board.cut_now()
            self._thread.join(0.05)

    def _live(self) -> None:
        cause: Cause = "power_on"
        try:
            while self._power.is_set():
                self.results.append(self._board.wake(cause, faults=self._faults))
                cause = self._board.state.reset
        except BaseException as error:  # noqa: BLE001 - raised where the relay is used
            self._broken = error
