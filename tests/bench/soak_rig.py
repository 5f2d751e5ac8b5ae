"""What a soak plays on: `derb load`'s signed fleet, a real Mosquitto, the gateway's own process, an HTTP upstream and files.

Both sinks are counted by number ranges, so that hours fit into little memory.
"""

import json
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from derb_gateway.intervals import IntervalSet
from derb_tools.load import make_registry

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
from gateway.fake_upstream import FakeUpstream, fake_upstream  # noqa: E402 - the tests are no package
from gateway.kit import eventually  # noqa: E402 - likewise

from tests.e2e.city import City  # noqa: E402 - likewise
from tests.e2e.harmed import Harmed  # noqa: E402 - likewise

CITY, FILES = "city", "files"
_RESEND_S, _GRACE_S = 5, 180
_FOR_EVER_S = 1_000_000
_CONNECTIONS = 4
_KEY = b'"key":"'


class Tally:
    """Which readings a sink has, and how many came to it again; keys are node:boot:sequence."""

    def __init__(self) -> None:
        self._has: defaultdict[str, IntervalSet] = defaultdict(IntervalSet)
        self.again = 0

    def add(self, keys: Iterable[str]) -> None:
        for key in keys:
            of, _, sequence = key.rpartition(":")
            number = int(sequence)
            if number in self._has[of]:
                self.again += 1
            else:
                self._has[of].add(number, number)

    def different(self) -> int:
        return sum(high - low + 1 for has in self._has.values() for low, high in has.intervals())


class CountingCity(City):
    """One that keeps no key; what comes again it recognises."""

    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self._tally = tally

    def take(self, keys: list[str]) -> None:
        self._tally.add(keys)


class SoakRig(Harmed):
    """The gateway with the settings it has by default, and a fleet of so many nodes."""

    def __init__(self, folder: Path, upstream: FakeUpstream, nodes: int) -> None:
        self.tally = Tally()
        super().__init__(folder, CountingCity(self.tally))
        self.upstream = upstream
        self.store = folder / "derb.sqlite3"
        self.load: subprocess.Popen[str] | None = None
        self._ending = False
        (folder / "registry.toml").write_text(make_registry(nodes))
        self.config.write_text(
            f'site = "soak"\nregistry = "registry.toml"\n[broker]\nport = {self.broker.port}\n'
            f'[store]\npath = "{self.store.name}"\n'
            f'[[sink]]\ntype = "http"\nname = "{CITY}"\nurl = "http://127.0.0.1:{upstream.port}/"\ntimeout_s = 10\n'
            f'[[sink]]\ntype = "file"\nname = "{FILES}"\ndirectory = "forwarded"\n'
        )

    @property
    def pid(self) -> int | None:
        """The gateway's process id while it runs."""
        return self.process.pid if self.process is not None and self.process.poll() is None else None

    async def hears(self) -> None:
        """Wait until the gateway listens: what a broker has for nobody it forgets."""
        await eventually(lambda: '"connected"' in (self.folder / "gateway.log").read_text(), 60)

    def start_fleet(self, rate: float) -> None:
        options = {"registry": self.folder / "registry.toml", "rate": rate, "seconds": _FOR_EVER_S}
        options |= {"broker": f"127.0.0.1:{self.broker.port}", "connections": _CONNECTIONS}
        options |= {"resend-s": _RESEND_S, "grace-s": _GRACE_S}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        with (self.folder / "fleet.log").open("wb") as log:
            command = [sys.executable, "-m", "derb_tools.cli", "load", *words]
            self.load = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)

    def fleet_failed(self) -> bool:
        """Whether it has ended though nobody told it to."""
        return not self._ending and self.load is not None and self.load.poll() is not None

    def end_fleet(self) -> dict[str, Any]:
        """Have it make no more readings, wait for its last receipts and return its report; nothing if it has failed."""
        assert self.load is not None
        self._ending = True
        if self.load.poll() is None:
            self.load.send_signal(signal.SIGINT)
        said, _ = self.load.communicate(timeout=_GRACE_S + 60)
        report: dict[str, Any] = json.loads(said) if said else {}
        return report

    def files(self) -> Tally:
        """Read all files; a line that is not finished is no reading."""
        tally = Tally()
        for path in sorted((self.folder / "forwarded").glob("*.ndjson")):
            with path.open("rb") as lines:
                tally.add(_key_of(line) for line in lines if line.endswith(b"\n"))
        return tally

    def close(self) -> None:
        for process in (self.load, self.process):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        self.broker.stop(kill=True)


def _key_of(line: bytes) -> str:
    at = line.index(_KEY) + len(_KEY)
    return line[at : line.index(b'"', at)].decode()


@asynccontextmanager
async def soak_rig(folder: Path, nodes: int) -> AsyncIterator[SoakRig]:
    """All of it but the fleet, running."""
    async with fake_upstream() as upstream:
        rig = SoakRig(folder, upstream, nodes)
        upstream.otherwise, rig.city.forget = rig.city.answer, upstream.asked.clear
        try:
            rig.broker.start()
            rig.start_gateway()
            yield rig
        finally:
            rig.close()
