"""What the fault campaign plays on: a fleet at the wire level, a real Mosquitto, the gateway, two sinks that can tell."""

import asyncio
import contextlib
import itertools
import os
import secrets
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from derb_gateway.sinks.refused import RefusedBook, refused_path
from derb_tools.load_node import LoadNode
from gateway.fake_upstream import fake_upstream
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.e2e.city import City
from tests.e2e.harmed import Harmed
from tests.e2e.rig import count_keys_of_file

RESEND_S = 0.7
NODES = 20
_A_FEW_READINGS_S = 0.2
_LOOK_EVERY_S = 0.2


class Fleet:
    """Nodes that make readings at a steady rate and send again what has no receipt."""

    def __init__(self, nodes: list[LoadNode], port: int, per_s: float) -> None:
        self.nodes = nodes
        self.paused = False
        self._per_s = per_s
        self._by_topic = {f"d/{node.node}/d": node for node in nodes}
        self._lock = threading.Lock()
        self.client = Client(CallbackAPIVersion.VERSION2, f"fleet-{secrets.token_hex(4)}")
        self.client.max_inflight_messages_set(2000)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe([(topic, 0) for topic in self._by_topic])
        self.client.on_message = self._took
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    async def run(self) -> None:
        """Make readings until cancelled."""
        for node in itertools.cycle(self.nodes):
            await asyncio.sleep(1 / self._per_s)
            now_s = time.monotonic()
            with self._lock:
                frames = [node.overdue_frame(now_s, RESEND_S)]
                if not self.paused:
                    frames.append(node.new_frame(now_s))
            for frame in frames:
                if frame is not None:
                    self.client.publish(f"d/{node.node}/u", frame, 1)

    def torrent(self, node: LoadNode, count: int) -> None:
        """Have one node make so many readings at once."""
        for _ in range(count):
            with self._lock:
                frame = node.new_frame(time.monotonic())
            self.client.publish(f"d/{node.node}/u", frame, 1)

    def made(self) -> set[str]:
        """Return the keys of all readings made."""
        return set().union(*(node.made_keys() for node in self.nodes))

    def receipted(self) -> bool:
        """Return whether every reading has its receipt."""
        with self._lock:
            return not any(node.waiting for node in self.nodes)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _took(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        with self._lock:
            self._by_topic[message.topic].took(bytes(message.payload), time.monotonic())


class FaultRig(Harmed):
    """One gateway and all around it, in one folder. Faults are in `faults`."""

    def __init__(self, folder: Path, city_port: int, city: City, per_s: float, *, mount: bool) -> None:
        super().__init__(folder, city)
        self.disk = folder / "disk"
        self.disk.mkdir()
        self.may_mount = mount and os.geteuid() == 0 and _mounted(self.disk)
        self.store = self.disk / "derb.sqlite3"
        self.broker.start()
        nodes = [LoadNode(f"de4b{i:08x}", bytes([i]) * 32, int(time.time())) for i in range(1, NODES + 1)]
        self._write(nodes, city_port)
        self.fleet = Fleet(nodes, self.broker.port, per_s)
        self._settled: set[str] = set()
        self._counted: dict[Path, tuple[tuple[int, int], Counter[str]]] = {}
        self.may_repeat: set[str] = set()  # in files, since their place was lost with a damaged database

    async def settled(self, within_s: float = 60) -> float:
        """Wait until all that was made until a moment from now is receipted and at both sinks; return how long that took."""
        began_s = time.monotonic()
        await asyncio.sleep(_A_FEW_READINGS_S)
        self.fleet.paused = True
        made = await asyncio.to_thread(self.fleet.made)
        waited_for = (
            made - self._settled
        )  # few, so that looking for them does not keep the city from answering
        try:
            while not (self.fleet.receipted() and await asyncio.to_thread(self._are_there, waited_for)):
                if time.monotonic() - began_s > within_s:
                    raise AssertionError(self.why_not(made))
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            self.fleet.paused = False
        self._settled |= waited_for
        return time.monotonic() - began_s

    def _are_there(self, keys: set[str]) -> bool:
        """Return whether both sinks have these readings."""
        return keys <= self.city.effects.keys() and not keys.difference(*self._by_file())

    def why_not(self, made: set[str]) -> str:
        waiting = sum(node.waiting for node in self.fleet.nodes)
        missing = [len(made - keys) for keys in (self.city.effects.keys(), self._files().keys())]
        lines = (self.folder / "gateway.log").read_text().splitlines()[-40:]
        log = "\n".join(
            line[:300] for line in lines
        )  # an error's words; a traceback hides what came before it
        ended = self.process.poll() if self.process is not None else None
        return (
            f"{waiting} without a receipt, {missing[0]} not in the city, {missing[1]} not in files;"
            f" gateway ended with {ended}\n{log}"
        )

    def balance(self) -> tuple[int, int, int]:
        """Return how many readings were made, are lost, and are doubled at a sink that can tell."""
        made, files = self.fleet.made(), self._files()
        lost = (made - self.city.effects.keys()) | (made - files.keys())
        doubled = [key for key, times in files.items() if times > 1 and key not in self.may_repeat]
        invented = (self.city.effects.keys() | files.keys()) - made
        return len(made), len(lost), len(doubled) + len(invented)

    def put_aside(self) -> int:
        """Return how many readings sinks refused for good."""
        return sum(RefusedBook(refused_path(self.store)).counts().values())

    def close(self) -> None:
        self.fleet.close()
        if self.process is not None and self.process.poll() is None:
            self.kill_gateway()
        self.broker.stop(kill=True)
        if self.may_mount:
            subprocess.run(["umount", str(self.disk)], check=True)

    def _files(self) -> Counter[str]:
        """Count readings in files."""
        return sum(self._by_file(), Counter[str]())

    def _by_file(self) -> list[Counter[str]]:
        """Count the readings of each file; only those that changed are read again."""
        for path in (self.folder / "forwarded").glob("*.ndjson"):
            now = path.stat()
            stamp = now.st_size, now.st_mtime_ns
            if self._counted.get(path, (None,))[0] != stamp:
                self._counted[path] = stamp, count_keys_of_file(path)
        return [counts for _, counts in self._counted.values()]

    def _write(self, nodes: list[LoadNode], city_port: int) -> None:
        registry = self.folder / "registry.toml"
        registry.write_text("\n".join(f'[[node]]\nid = "{n.node}"\nkey = "{n._key.hex()}"' for n in nodes))
        self.config.write_text(
            f'site = "faults"\nregistry = "registry.toml"\nstop_deadline_s = 5\n'
            f"[broker]\nport = {self.broker.port}\nretry_max_s = 0.5\n"
            f'[store]\npath = "{self.store}"\n'
            f'[[sink]]\ntype = "http"\nname = "city"\nurl = "http://127.0.0.1:{city_port}/"\ntimeout_s = 1\n'
            f"batch_age_s = 0.1\nretry_base_s = 0.05\nretry_max_s = 0.3\n"
            f'[[sink]]\ntype = "file"\nname = "files"\ndirectory = "forwarded"\nrotate_bytes = 2000000\n'
            f"batch_age_s = 0.1\n"
            f"retry_base_s = 0.05\nretry_max_s = 0.3\n"
        )


@contextlib.asynccontextmanager
async def fault_rig(folder: Path, per_s: float = 100, *, mount: bool) -> AsyncIterator[FaultRig]:
    """A gateway that runs, and a fleet that makes readings; `mount`: the store is on a disk of its own, if that is allowed."""
    async with fake_upstream() as upstream:
        city = City()
        upstream.otherwise, city.forget = city.answer, upstream.asked.clear
        rig = FaultRig(folder, upstream.port, city, per_s, mount=mount)
        making = asyncio.create_task(rig.fleet.run())
        try:
            rig.start_gateway()
            yield rig
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)
            rig.close()


def _mounted(folder: Path) -> bool:
    """Whether a small disk of our own could be mounted there."""
    if shutil.which("mount") is None:
        return False
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
