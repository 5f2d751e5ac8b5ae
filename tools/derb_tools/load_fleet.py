"""A fleet at the wire level: makes valid signed frames, follows receipts, knows what was lost."""

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from derb_tools.errors import ToolError
from derb_tools.load_node import LoadNode

_TOPICS_A_SUBSCRIPTION = 50
_CONNECT_S = 10.0
_LISTEN_S = 5.0  # a gateway that was started just before takes a moment
_INFLIGHT = 2000


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
        self._enough = threading.Event()
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

    def enough(self) -> None:
        """Make no more readings; `run` then waits for the last receipts."""
        self._enough.set()

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
                connect_patiently(lambda client=client: client.connect(host, port))  # type: ignore[misc]
                client.loop_start()
        except ConnectionRefusedError as error:
            raise ToolError(f"nothing listens at {host}:{port}: is the gateway running?") from error
        except OSError as error:
            raise ToolError(f"the broker at {host}:{port} cannot be reached: {error}") from error
        for _ in range(self._subscriptions):
            if not self._subscribed.acquire(timeout=_CONNECT_S):
                raise ToolError(f"the broker at {host}:{port} does not answer")

    def _make(self, began_s: float, rate: float, seconds: float, resend_s: float) -> None:
        for i in range(int(rate * seconds)):
            due_s = began_s + i / rate
            if self._enough.wait(max(0.0, due_s - time.monotonic())):
                return
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


def connect_patiently(
    connect: Callable[[], object],
    wait_s: float = _LISTEN_S,
    now_s: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Connect, again and again for so long while nobody listens; ConnectionRefusedError, and others at once."""
    deadline_s = now_s() + wait_s
    while True:
        try:
            connect()
        except ConnectionRefusedError:
            if now_s() >= deadline_s:
                raise
            sleep(0.1)
        else:
            return


def percentile(rising: list[float], percent: int) -> float | None:
    """The value below which so many percent lie; None of nothing."""
    return round(rising[min(len(rising) - 1, len(rising) * percent // 100)], 2) if rising else None
