"""`derb gateway run` as a process of its own, and nodes that speak to it."""

import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import ClassVar

from derb_tools.load_node import LoadNode
from gateway.kit import DEADLINE_S, NODE, OTHER, wait_until
from gateway.test_registry import NODES, PLACES
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion


class Daemon:
    """`derb gateway run` in a process of its own, started again as often as it takes."""

    all: ClassVar[list["Daemon"]] = []

    def __init__(self, folder: Path, port: int, sinks: str, broker: str = "") -> None:
        self.all.append(self)
        self.folder = folder
        self.config = folder / "gateway.toml"
        (folder / "registry.toml").write_text(NODES + PLACES)
        self.config.write_text(
            f'site = "test"\nregistry = "registry.toml"\nstop_deadline_s = 3.0\n'
            f"[broker]\nport = {port}\nfence_s = 0.2\nretry_base_s = 0.05\nretry_max_s = 0.3\n"
            f"{broker}\n{sinks}"
        )
        self.log = folder / "gateway.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        command = [sys.executable, "-W", "error", "-m", "derb_gateway", "run", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*command, *options], stderr=log)

    def end(self, number: int) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(DEADLINE_S)
        self.process = None
        return code

    def logged(self, message: str) -> int:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return sum(f'"message": "{message}"' in line for line in lines)

    def counters(self) -> Counter[str]:
        try:
            with sqlite3.connect(f"file:{self.folder}/derb.sqlite3?mode=ro", uri=True) as db:
                rows = dict(db.execute("SELECT name, value FROM counter"))
            db.close()
        except sqlite3.Error:
            rows = {}
        return Counter(rows)

    def alarms(self) -> dict[str, str]:
        """What each alarm that stands says."""
        with sqlite3.connect(f"file:{self.folder}/derb.sqlite3?mode=ro", uri=True) as db:
            rows = dict(db.execute("SELECT name, detail FROM alarm"))
        db.close()
        return rows

    def archived(self) -> Counter[str]:
        """The upstream keys in the file sink, counted."""
        keys: Counter[str] = Counter()
        for path in sorted((self.folder / "out").glob("*.ndjson")):
            keys.update(json.loads(line)["key"] for line in path.read_text().splitlines())
        return keys


ARCHIVE = (
    '[[sink]]\ntype = "file"\nname = "archive"\ndirectory = "out"\nbatch_age_s = 0.1\nrotate_bytes = 20000\n'
)


class Nodes:
    """Two nodes that keep sending until everything they made is confirmed."""

    def __init__(self, port: int) -> None:
        self.lock = threading.Lock()
        keys = {NODE: bytes(range(32)), OTHER: bytes(range(32, 64))}
        self.nodes = {f"d/{node}/d": LoadNode(node, key, 1) for node, key in keys.items()}
        self.client = Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=True)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = lambda client, *_: client.subscribe([(topic, 0) for topic in self.nodes])
        self.client.on_message = self._took
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def _took(self, _client: Client, _userdata: object, message: object) -> None:
        with self.lock:
            self.nodes[message.topic].took(bytes(message.payload), time.monotonic())  # type: ignore[attr-defined]

    def send(self, *, new: bool = True) -> None:
        for topic, node in self.nodes.items():
            with self.lock:
                again = node.overdue_frame(time.monotonic(), 0.5)
                frames = [
                    frame for frame in (again, node.new_frame(time.monotonic()) if new else None) if frame
                ]
            for frame in frames:
                self.client.publish(topic[:-1] + "u", frame, 1)

    def waiting(self) -> int:
        with self.lock:
            return sum(node.waiting for node in self.nodes.values())

    def keys(self) -> set[str]:
        return set().union(*(node.made_keys() for node in self.nodes.values()))

    def confirmed(self) -> set[str]:
        with self.lock:
            return {key for node in self.nodes.values() for key in node.made_keys()} - {
                f"{node.node}:{node.boot}:{sequence}"
                for node in self.nodes.values()
                for sequence in node._made_s
            }

    def finish(self) -> None:
        def all_confirmed() -> bool:
            self.send(new=False)
            time.sleep(0.05)
            return self.waiting() == 0

        wait_until(all_confirmed, 30)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
