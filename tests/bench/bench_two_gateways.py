"""Two gateways at one broker, each with half of the nodes, beside one with all: how much faster, and at what cost a message.

20,000 signed frames of 1,000 nodes, which a real Mosquitto holds for them from before, so that no sender sets the pace: verified,
stored with sync, receipted, acknowledged. The broker comes up last, so that all begin together. Medians of three runs, in turn.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_intake import KEYS, MESSAGES, blast, frames
from derb_gateway.errors import StoreError
from derb_gateway.reader import read_only
from street import cpu_s, percentile, tell

sys.path.insert(0, str(Path(__file__).parent.parent))
from gateway.kit import Mosquitto, wait_until

RUNS = 3
KEPT_S = 600
LOOK_S = 0.02
TOGETHER_S = 120.0


class Share:
    """A gateway with some of the nodes and no sink."""

    def __init__(self, folder: Path, port: int, nodes: list[str]) -> None:
        folder.mkdir()
        self._store, self._log = folder / "derb.sqlite3", folder / "gateway.log"
        self._config = folder / "gateway.toml"
        tables = (f'[[node]]\nid = "{node}"\nkey = "{KEYS[node].hex()}"\n' for node in nodes)
        (folder / "registry.toml").write_text("".join(tables))
        self._config.write_text(
            f'site = "bench"\nregistry = "registry.toml"\n[broker]\nport = {port}\nclient_id = "{folder.name}"\n'
            f"only_registered = true\nsession_expiry_s = {KEPT_S}\nretry_base_s = 0.02\nretry_max_s = 0.05\n"
        )
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "derb_gateway", "run", "--config", str(self._config)]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(30)

    def said(self, message: str) -> int:
        return self._log.read_text().count(f'"message": "{message}"') if self._log.exists() else 0

    def stored(self) -> int:
        try:
            with read_only(self._store) as db:
                row = db.execute("SELECT value FROM counter WHERE name = 'readings_stored'").fetchone()
        except StoreError:
            return 0
        return int(row[0]) if row else 0

    def cpu_s(self) -> float:
        assert self.process is not None
        return cpu_s(self.process.pid)


async def run(folder: Path, count: int) -> dict[str, float]:
    """Return figures of so many gateways."""
    broker = Mosquitto(folder / "broker", max_queued_messages=2 * MESSAGES)
    nodes = list(KEYS)
    shares = [Share(folder / f"share-{at}", broker.port, nodes[at::count]) for at in range(count)]
    broker.start()
    for share in shares:
        share.start()
    for share in shares:
        wait_until(lambda share=share: share.said("connected") == 1, 60)  # type: ignore[misc]
        share.stop()
    await blast(broker.port, frames(1))
    broker.stop()
    for share in shares:
        share.start()
    for share in shares:
        wait_until(lambda share=share: share.said("gateway started") == 2, 60)  # type: ignore[misc]
    broker.start()
    try:
        return drained(shares)
    finally:
        for share in shares:
            share.stop()
        broker.stop()


def drained(shares: list[Share]) -> dict[str, float]:
    """Measure from the first reading that is stored until all are."""
    until_s = time.monotonic() + TOGETHER_S
    began_s = began = began_cpu_s = 0.0
    while (stored := sum(share.stored() for share in shares)) < MESSAGES:
        if stored and not began:
            began_s, began = time.perf_counter(), float(stored)
            began_cpu_s = sum(share.cpu_s() for share in shares)
        if time.monotonic() > until_s:
            sys.exit(f"only {stored} of {MESSAGES} were stored")
        time.sleep(LOOK_S)
    took_s = time.perf_counter() - began_s
    used_s = sum(share.cpu_s() for share in shares) - began_cpu_s
    return {"rate": (MESSAGES - began) / took_s, "cpu": 1e6 * used_s / (MESSAGES - began)}


async def main() -> None:
    """Run both in turn and print medians."""
    runs: dict[int, list[dict[str, float]]] = {1: [], 2: []}
    for _ in range(RUNS):
        for count, results in runs.items():
            with tempfile.TemporaryDirectory() as folder:
                results.append(await run(Path(folder), count))
    units = {"rate": "messages/s", "cpu": "us/message"}
    figures = {
        f"{name}_{figure}": (percentile([result[figure] for result in runs[count]], 50), unit)
        for count, name in ((1, "one"), (2, "two"))
        for figure, unit in units.items()
    }
    ratios = [two["rate"] / one["rate"] for one, two in zip(runs[1], runs[2], strict=True)]
    tell("two_gateways", {**figures, "two_by_one": (percentile(ratios, 50), "times")}, messages=MESSAGES)


if __name__ == "__main__":
    asyncio.run(main())
