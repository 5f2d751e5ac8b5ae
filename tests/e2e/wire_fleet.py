"""Nodes at the wire level that do what a gateway orders: they say how they are, fetch a release, and answer."""

import struct
import time
from collections.abc import Callable

from derb_gateway.asks import ASK
from derb_gateway.commands import COMMAND_SECTION
from derb_gateway.downlink import downlink_topic
from derb_gateway.frame import VERSION, tag
from derb_gateway.readings import ANSWER, HEALTH, PARKING, Answer, Body, Health, Parking, Reading, Uplink
from derb_gateway.wire import read_varint, write_varint
from derb_tools.downlink import Downlink, decode_downlink
from derb_tools.wire import LABEL, encode_uplink
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

CONFIRMED, RETURNED = 3, 4


class WireNode:
    """One node; `works`: whether a new version does on it."""

    def __init__(self, node: str, key: bytes, publish: Callable[[str, bytes], object]) -> None:
        self.node = node
        self.key = key
        self.works = True
        self.updates = 0
        self.orders: list[int] = []
        self.received: list[Downlink] = []
        self._publish = publish
        self._boot = int(time.time())
        self._sequence = 0
        self._version = 100
        self._wanted = 0
        self._update: dict[str, int] = {}

    def says(self, kind: int, body: Body, age_s: int = 0) -> None:
        uplink = Uplink(kind, self._boot, False, (Reading(self._sequence, age_s, body),))
        self._sequence += 1
        self._publish(f"d/{self.node}/u", encode_uplink(self.node, self.key, uplink))

    def health(self, **more: int) -> None:
        self._update.update(more)
        fields = {"battery_mv": 3900, "firmware_version": self._version, **self._update}
        self.says(HEALTH, Health(tuple(fields.items())))

    def parks(self, state: str, age_s: int = 0) -> None:
        self.says(PARKING, Parking(state, 95, None), age_s)

    def took(self, frame: bytes) -> None:
        if frame[0] & 0x0F == ASK:
            self._got_chunk(frame)
            return
        downlink = decode_downlink(self.node, self.key, frame)
        self.received.append(downlink)
        for kind, content in downlink.sections:
            if kind == COMMAND_SECTION:
                self._ordered(content)

    def _ordered(self, content: bytes) -> None:
        """Begin an update; an order that was begun already is not begun again."""
        id_, at = read_varint(content, 0, len(content))
        code, _ = struct.unpack_from("<BI", content, at)
        version, _ = read_varint(content, at + 5, len(content))
        if code != 7 or id_ in self.orders:
            return
        self.orders.append(id_)
        self._wanted = version
        self.says(ANSWER, Answer(id_, "started", 0))
        numbers = b"".join(map(write_varint, (version, 0, 0)))
        untagged = bytes([VERSION << 5 | ASK]) + numbers + bytes([1])
        self._publish(f"d/{self.node}/u", untagged + tag(LABEL, self.node, self.key, untagged))

    def _got_chunk(self, frame: bytes) -> None:
        """The first chunk stands for all of them; then the new version runs, or the old one is back."""
        if not self.works:
            self.health(update_version=self._wanted, update_state=RETURNED)
            return
        self.updates += 1
        self._version = self._wanted
        self.says(ANSWER, Answer(self.orders[-1], "done", 0))
        self.health(update_version=self._wanted, update_state=CONFIRMED)


class WireFleet:
    """Nodes behind one connection to a broker."""

    def __init__(self, port: int, keys: dict[str, bytes]) -> None:
        self._client = Client(CallbackAPIVersion.VERSION2)
        self.nodes = {node: WireNode(node, key, self._send) for node, key in keys.items()}
        self._client.on_message = self._came
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        for node in keys:
            self._client.subscribe(downlink_topic(node), 1)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _send(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload, 1)

    def _came(self, _client: object, _user: object, message: MQTTMessage) -> None:
        self.nodes[message.topic.split("/")[1]].took(message.payload)
