"""`derb load`: a fleet at the wire level. Makes valid signed frames, follows receipts, says what was lost."""

import json
import secrets
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from derb_gateway.errors import GatewayError
from derb_gateway.registry import load_registry
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from derb_tools.errors import ToolError
from derb_tools.load_node import LoadNode

_TOPICS_A_SUBSCRIPTION = 50
_CONNECT_S = 10.0
_INFLIGHT = 2000


def load(
    nodes: Annotated[int, typer.Option(min=1, help="How many nodes.")] = 100,
    rate: Annotated[float, typer.Option(min=0.01, help="Readings a second, of all nodes together.")] = 50.0,
    seconds: Annotated[float, typer.Option(min=0, help="For how long to make readings.")] = 10.0,
    broker: Annotated[str, typer.Option(metavar="HOST:PORT")] = "127.0.0.1:1883",
    registry: Annotated[Path | None, typer.Option(help="Nodes and keys, as the gateway has them.")] = None,
    write_registry: Annotated[Path | None, typer.Option(help="Make nodes and keys, write them, end.")] = None,
    upstream: Annotated[
        Path | None, typer.Option(help="Folder of a file sink, to find what is doubled.")
    ] = None,
    connections: Annotated[int, typer.Option(min=1)] = 2,
    resend_s: Annotated[
        float, typer.Option(min=0.1, help="Send again what has no receipt after this.")
    ] = 3.0,
    grace_s: Annotated[float, typer.Option(min=0, help="Wait so long for the last receipts.")] = 20.0,
    username: Annotated[str | None, typer.Option()] = None,
    password: Annotated[str | None, typer.Option()] = None,
) -> None:
    """Load a gateway with a fleet's frames; print what was sent, receipted and lost as JSON."""
    if write_registry is not None:
        write_registry.write_text(make_registry(nodes), encoding="utf-8")
        return
    if registry is None:
        raise typer.BadParameter("give --registry, or make one first with --write-registry")
    fleet = Fleet(fleet_nodes(registry, nodes), split_address(broker), connections, (username, password))
    fleet.run(rate, seconds, resend_s, grace_s)
    report = fleet.report() | (upstream_report(upstream, fleet.keys(), grace_s) if upstream else {})
    print(json.dumps(report))
    if report["lost"] or report.get("upstream_doubled") or report.get("upstream_missing"):
        raise typer.Exit(1)


def make_registry(nodes: int) -> str:
    """A registry of made-up nodes, each at its own made-up bay."""
    entries = []
    for i in range(nodes):
        node, bay = f"de4b{i:08x}", f"load-{i:05d}"
        entries.append(f'[[node]]\nid = "{node}"\nkey = "{secrets.token_hex(32)}"\nbay = "{bay}"\n')
        entries.append(f'[[bay]]\nid = "{bay}"\nzone = "load"\nlat = 33.58\nlon = -7.62\n')
    return "\n".join(entries)


def fleet_nodes(registry: Path, count: int) -> list[LoadNode]:
    """The first nodes of a registry under a boot number that no earlier run had. ToolError."""
    try:
        keys = load_registry(registry).keys
    except GatewayError as error:
        raise ToolError(str(error)) from error
    if len(keys) < count:
        raise ToolError(f"{registry} has {len(keys)} nodes, not {count}")
    return [LoadNode(node, keys[node], int(time.time())) for node in sorted(keys)[:count]]


def split_address(text: str) -> tuple[str, int]:
    """HOST:PORT as a pair."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise typer.BadParameter(f"--broker {text!r} is not HOST:PORT")
    return host, int(port)


def upstream_report(folder: Path, sent: set[str], grace_s: float = 0.0) -> dict[str, int]:
    """What of a run a file sink has, once, twice or never; waits so long for it to have all."""
    deadline_s = time.monotonic() + grace_s
    ours = upstream_keys(folder, sent)
    while len(ours) < len(sent) and time.monotonic() < deadline_s:
        time.sleep(0.2)
        ours = upstream_keys(folder, sent)
    return {
        "upstream": len(ours),
        "upstream_missing": len(sent) - len(ours),
        "upstream_doubled": sum(n - 1 for n in ours.values()),
    }


def upstream_keys(folder: Path, sent: set[str]) -> Counter[str]:
    """How often a file sink has each reading of a run. The last line may be half written."""
    there: Counter[str] = Counter()
    for path in folder.glob("*.ndjson"):
        with path.open(encoding="utf-8") as lines:
            there.update(json.loads(line)["key"] for line in lines if line.endswith("\n"))
    return Counter({key: n for key, n in there.items() if key in sent})


class Fleet:
    """Nodes spread over a few connections, each with its own network thread; one lock guards the nodes."""

    def __init__(
        self,
        nodes: list[LoadNode],
        address: tuple[str, int],
        connections: int,
        login: tuple[str | None, str | None] = (None, None),
    ) -> None:
        self._nodes = nodes
        self._by_topic = {f"d/{node.node}/d": node for node in nodes}
        self._address = address
        self._lock = threading.Lock()
        self._frames = self._frames_again = 0
        self._took_s = 0.0
        self._subscriptions = 0
        self._subscribed = threading.Semaphore(0)
        self._clients: list[Client] = []
        self._client_of: dict[str, Client] = {}
        for i in range(min(connections, len(nodes))):
            self._add_client(nodes[i::connections], login)

    def run(self, rate: float, seconds: float, resend_s: float, grace_s: float) -> None:
        """Make readings at a steady rate, then wait for the last receipts. ToolError without a broker."""
        self._connect()
        try:
            began_s = time.monotonic()
            self._make(began_s, rate, seconds, resend_s)
            self._took_s = time.monotonic() - began_s
            self._wait(grace_s, resend_s)
        finally:
            for client in self._clients:
                client.disconnect()
                client.loop_stop()

    def keys(self) -> set[str]:
        """The upstream keys of all readings made."""
        return set().union(*(node.made_keys() for node in self._nodes))

    def report(self) -> dict[str, Any]:
        """What was sent, receipted and lost; latency is from making a reading to its receipt."""
        latencies_ms = sorted(1000 * s for node in self._nodes for s in node.latencies_s)
        sent, lost = sum(node.made for node in self._nodes), sum(node.waiting for node in self._nodes)
        return {
            "nodes": len(self._nodes),
            "sent": sent,
            "receipted": sent - lost,
            "lost": lost,
            "frames": self._frames,
            "frames_again": self._frames_again,
            "bad_downlinks": sum(node.bad_downlinks for node in self._nodes),
            "rate_per_s": round(sent / self._took_s, 1) if self._took_s else 0.0,
            "latency_ms_p50": percentile(latencies_ms, 50),
            "latency_ms_p99": percentile(latencies_ms, 99),
        }

    def _add_client(self, share: list[LoadNode], login: tuple[str | None, str | None]) -> None:
        client = Client(CallbackAPIVersion.VERSION2, f"derb-load-{secrets.token_hex(4)}")
        client.max_inflight_messages_set(_INFLIGHT)
        if login[0] is not None:
            client.username_pw_set(*login)
        topics = [(f"d/{node.node}/d", 0) for node in share]

        def connected(client: Client, *_: Any) -> None:
            for i in range(0, len(topics), _TOPICS_A_SUBSCRIPTION):
                client.subscribe(topics[i : i + _TOPICS_A_SUBSCRIPTION])

        client.on_connect, client.on_message = connected, self._took
        client.on_subscribe = lambda *_: self._subscribed.release()
        self._subscriptions += -(-len(topics) // _TOPICS_A_SUBSCRIPTION)
        self._clients.append(client)
        self._client_of.update((node.node, client) for node in share)

    def _connect(self) -> None:
        """Connect and subscribe, all of them; ToolError. From then on paho connects again by itself."""
        host, port = self._address
        try:
            for client in self._clients:
                client.connect(host, port)
                client.loop_start()
        except OSError as error:
            raise ToolError(f"the broker at {host}:{port} cannot be reached: {error}") from error
        for _ in range(self._subscriptions):
            if not self._subscribed.acquire(timeout=_CONNECT_S):
                raise ToolError(f"the broker at {host}:{port} does not answer")

    def _make(self, began_s: float, rate: float, seconds: float, resend_s: float) -> None:
        for i in range(int(rate * seconds)):
            due_s = began_s + i / rate
            if (wait_s := due_s - time.monotonic()) > 0:
                time.sleep(wait_s)
            node = self._nodes[i % len(self._nodes)]
            now_s = time.monotonic()
            with self._lock:
                frame = node.overdue_frame(now_s, resend_s)
                self._frames_again += frame is not None
                new = node.new_frame(now_s)
            for each in (frame, new):
                if each is not None:
                    self._publish(node, each)

    def _wait(self, grace_s: float, resend_s: float) -> None:
        deadline_s = time.monotonic() + grace_s
        while time.monotonic() < deadline_s and any(node.waiting for node in self._nodes):
            for node in self._nodes:
                with self._lock:
                    frame = node.overdue_frame(time.monotonic(), resend_s)
                if frame is not None:
                    self._frames_again += 1
                    self._publish(node, frame)
            time.sleep(0.05)

    def _publish(self, node: LoadNode, frame: bytes) -> None:
        self._frames += 1
        self._client_of[node.node].publish(f"d/{node.node}/u", frame, 1)

    def _took(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        node = self._by_topic.get(message.topic)
        if node is not None:
            with self._lock:
                node.took(bytes(message.payload), time.monotonic())


def percentile(rising: list[float], percent: int) -> float | None:
    """The value below which so many percent lie; None of nothing."""
    return round(rising[min(len(rising) - 1, len(rising) * percent // 100)], 2) if rising else None
