"""What faults do harm to: a real Mosquitto, the gateway as its own process, an upstream."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from gateway.kit import Mosquitto

from tests.e2e.city import City

_CLOCK_WORDS = ("--clock-speed", "1", "--clock-origin-unix-ms")


class Harmed:
    """One gateway and its broker in one folder; `config` must be written before the gateway starts."""

    def __init__(self, folder: Path, city: City, **broker: object) -> None:
        self.folder = folder
        self.city = city
        self.config = folder / "gateway.toml"
        self.broker = Mosquitto(folder / "broker", **broker)
        self.process: subprocess.Popen[bytes] | None = None

    def start_gateway(self, *words: str) -> None:
        command = [sys.executable, "-m", "derb_gateway", "run", "--config", str(self.config), *words]
        with (self.folder / "gateway.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def start_gateway_at(self, unix_ms: int) -> None:
        """With its clock at another time."""
        self.start_gateway(
            *_CLOCK_WORDS, str(unix_ms), "--clock-origin-real-ms", str(int(time.time() * 1000))
        )

    def kill_gateway(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop_gateway(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)
