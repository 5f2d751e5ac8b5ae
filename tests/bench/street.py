"""What benches of a whole gateway share: one as its own process between two Mosquittos, and a fleet's frames."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from derb_gateway.readings import PARKING, Parking, Reading, Uplink
from derb_tools.wire import encode_uplink

sys.path.insert(0, str(Path(__file__).parent.parent))
from gateway.kit import Mosquitto, wait_until

SITE = "bench"
_SUBSCRIBES_S = 1.0
_TICKS_A_S = os.sysconf("SC_CLK_TCK")


class Gateway:
    """A gateway with `nodes` registered, an `mqtt` sink, and whatever a bench wants to know of its process."""

    def __init__(self, folder: Path, nodes: int) -> None:
        self.keys = {f"de4b{i:08x}": i.to_bytes(4, "big") * 8 for i in range(1, nodes + 1)}
        self.street, self.city = Mosquitto(folder / "street"), Mosquitto(folder / "city")
        self.store = folder / "derb.sqlite3"
        self._config = folder / "gateway.toml"
        self._log = folder / "gateway.log"
        (folder / "registry.toml").write_text(
            "\n".join(f'[[node]]\nid = "{node}"\nkey = "{key.hex()}"' for node, key in self.keys.items())
        )
        self._config.write_text(
            f'site = "{SITE}"\nregistry = "registry.toml"\n[broker]\nport = {self.street.port}\n'
            f'[store]\npath = "derb.sqlite3"\n[[sink]]\ntype = "mqtt"\nname = "city"\n'
            f"port = {self.city.port}\nrequire_subscriber = false\n"
        )

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Start all three, and stop them."""
        for broker in (self.street, self.city):
            broker.start()
        command = [sys.executable, "-m", "derb_gateway", "run", "--config", str(self._config)]
        with self._log.open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_until(lambda: "gateway started" in self._log.read_text())
            pause(_SUBSCRIBES_S)
            yield process
        finally:
            process.terminate()
            process.wait(30)
            for broker in (self.street, self.city):
                broker.stop()

    def frame(self, node: str, sequence: int, boot: int = 1) -> bytes:
        """Return one parking reading of a node, signed."""
        reading = Reading(sequence, 0, Parking("free", 100, None))
        return encode_uplink(node, self.keys[node], Uplink(PARKING, boot, False, (reading,)))


@contextmanager
def gateway(nodes: int) -> Iterator[Gateway]:
    """A gateway in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        yield Gateway(Path(folder), nodes)


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_S


def status_field(pid: int, name: str) -> int:
    """Return a number of /proc/PID/status, of all threads if it is counted by thread."""
    paths = [Path(f"/proc/{pid}/status")] if name == "VmRSS" else Path(f"/proc/{pid}/task").glob("*/status")
    return sum(
        int(line.split()[1])
        for path in paths
        for line in path.read_text().splitlines()
        if line.startswith(name)
    )


def tell(bench: str, figures: dict[str, tuple[float, str]], **more: object) -> None:
    """Print one JSON line a figure."""
    for figure, (value, unit) in figures.items():
        print(json.dumps({"bench": bench, "figure": figure, "value": round(value, 2), "unit": unit, **more}))


def percentile(values: list[float], percent: float) -> float:
    """Return the value below which so many percent lie."""
    return sorted(values)[int(percent / 100 * (len(values) - 1))]


def pause(seconds: float) -> None:
    """Let the process that is measured be alone."""
    time.sleep(seconds)
