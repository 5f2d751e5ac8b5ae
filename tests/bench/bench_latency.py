"""How long a reading takes from its publication to its receipt, and to an upstream broker, at 200 frames a second of 1,000 nodes.

Beside it, in the same run, how long a message takes through the street's Mosquitto alone, to a subscriber of ours (`broker`).

    bench_latency.py [SECONDS]
"""

import json
import sys
import threading
import time

from derb_gateway.downlink import downlink_topic
from derb_tools.downlink import decode_downlink
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from street import SITE, Gateway, gateway, pause, percentile, tell

NODES = 1_000
FRAMES_A_S = 200
_LAST_S = 5.0


class Watch:
    """When each reading, by its node and number, was published, and came back where."""

    def __init__(self, bench: Gateway) -> None:
        self.bench = bench
        self.sent_s: dict[tuple[str, int], float] = {}
        self.waits_ms: dict[str, dict[tuple[str, int], float]] = {"receipt": {}, "upstream": {}, "broker": {}}
        self._last: dict[str, int] = {}
        self._lock = threading.Lock()
        self.street = self._client("street", bench.street.port, self._from_street, "d/+/d", "d/+/u")
        self.city = self._client("city", bench.city.port, self._from_city, f"derb/{SITE}/readings")

    def publish(self, node: str, sequence: int) -> None:
        frame = self.bench.frame(node, sequence)
        with self._lock:
            self._last[node] = sequence
            self.sent_s[node, sequence] = time.perf_counter()
        self.street.publish(f"d/{node}/u", frame, 1)

    def close(self) -> None:
        for client in (self.street, self.city):
            client.disconnect()
            client.loop_stop()

    def _client(self, name: str, port: int, took: object, *topics: str) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, f"bench-{name}")
        ready = threading.Semaphore(0)
        client.on_subscribe = lambda *_: ready.release()
        client.on_message = took  # type: ignore[assignment]
        client.max_inflight_messages_set(1000)
        client.connect("127.0.0.1", port)
        client.loop_start()
        client.subscribe([(topic, 0) for topic in topics])
        ready.acquire(timeout=10)
        return client

    def _note(self, where: str, node: str, sequence: int) -> None:
        now_s = time.perf_counter()
        with self._lock:
            if (sent_s := self.sent_s.get((node, sequence))) is not None:
                self.waits_ms[where].setdefault((node, sequence), 1000 * (now_s - sent_s))

    def _from_street(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        node = message.topic.split("/")[1]
        if message.topic != downlink_topic(node):
            self._note("broker", node, self._last.get(node, 0))
            return
        for of_range in decode_downlink(node, self.bench.keys[node], message.payload).ranges:
            for sequence in range(of_range.first, of_range.last + 1):
                self._note("receipt", node, sequence)

    def _from_city(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        for reading in json.loads(message.payload)["readings"]:
            self._note("upstream", reading["node"], reading["seq"])


def main(seconds: float) -> None:
    with gateway(NODES) as bench, bench.running():
        watch, nodes = Watch(bench), list(bench.keys)
        began_s = time.perf_counter()
        count = int(seconds * FRAMES_A_S)
        for i in range(count):
            if (wait_s := began_s + i / FRAMES_A_S - time.perf_counter()) > 0:
                time.sleep(wait_s)
            watch.publish(nodes[i % NODES], i // NODES)
        pause(_LAST_S)
        watch.close()
    figures: dict[str, tuple[float, str]] = {}
    for where, waits in watch.waits_ms.items():
        values = list(waits.values())
        figures[f"{where}_p50"] = percentile(values, 50), "ms"
        figures[f"{where}_p99"] = percentile(values, 99), "ms"
        figures[f"{where}_missing"] = count - len(values), "readings"
    tell("latency", figures, frames_a_s=FRAMES_A_S, frames=count)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 20.0)
