"""One connection over aiomqtt with our own acknowledgements: the only place that reaches inside it.

What is reached for, and missing in aiomqtt 2.5: paho's `manual_ack_set`; the packet just read and the queue of packets to
send, for thousands of them; a message's `dup` flag; whether the broker kept our session; a PUBACK's reason code, without
which a refusal looks like a delivery.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.client import MQTT_ERR_SUCCESS, MQTTMessage
from paho.mqtt.client import Client as PahoClient
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from derb_gateway import mqtt_packets
from derb_gateway.config import Connection
from derb_gateway.errors import BrokerError, BrokerRefused
from derb_gateway.mqtt_packets import Message, plain_message
from derb_gateway.read_ahead import ReadAhead

_NO_RETAINED = 2  # MQTT 5, 3.8.3.1: do not send retained messages at subscription; they have no time
_AUTH_CODES = {0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C, 1, 2, 4, 5}
_FAILED = 0x80
NO_SUBSCRIBER = 0x10
_SUBACK_S = 300.0  # it comes behind all that was kept for us


@dataclass(frozen=True, slots=True)
class SessionWish:
    """What we ask of the broker: MQTT version (4 or 5), and for how long and how much it may keep for us."""

    version: int = 5
    clean: bool = True
    expiry_s: int = 0
    receive_maximum: int = 100


class Link:
    """A connection that is up. After its end, acknowledgements go nowhere: the messages will come again."""

    def __init__(self, client: aiomqtt.Client, version: int) -> None:
        self._client = client
        self._paho: PahoClient = client._client
        self.version = version
        self.session_present = False
        self.open = False
        self.puback_code = 0
        self.on_publish: Any = (
            None  # paho's only while a PUBACK is waited for: it costs as much as a receipt does
        )

    def acknowledge(self, mids: Iterable[int]) -> bool:
        """Send the PUBACKs of messages that this very connection brought; return False if it is gone."""
        return self._hand_over(mqtt_packets.pubacks(mids))

    def publish_all(self, messages: Iterable[tuple[str, bytes]], *, retain: bool) -> bool:
        """Hand (topic, payload) at QoS 0 to the socket; return False if the connection is gone."""
        packets = [
            mqtt_packets.publish(topic, payload, retain=retain, version=self.version)
            for topic, payload in messages
        ]
        return self._hand_over(b"".join(packets))

    def _hand_over(self, packets: bytes) -> bool:
        """Queue whole packets behind what paho has queued itself; of what they are it only asks whether to tell of them."""
        if self.open and packets:
            self._paho._packet_queue(mqtt_packets.PUBACK, packets, 0, 0)
        return self.open

    def send(self, topic: str, payload: bytes) -> None:
        """Hand a QoS 1 message to the socket and do not wait for anything."""
        if self.open:
            self._paho.publish(topic, payload, 1)

    async def publish(self, topic: str, payload: bytes, timeout_s: float) -> int:
        """Publish at QoS 1 and return the PUBACK's reason code; one at a time. BrokerError."""
        self._paho.on_publish = self.on_publish
        try:
            with translated():
                await self._client.publish(topic, payload, 1, timeout=timeout_s)
        finally:
            self._paho.on_publish = None
        return self.puback_code

    async def publish_often(self, topic: str, payload: bytes, times: int, timeout_s: float) -> None:
        """Publish the same at QoS 1 many times and wait for the last PUBACK. BrokerError."""
        for _ in range(times - 1):
            self._paho.publish(topic, payload, 1)  # their PUBACKs come before the last one's
        await self.publish(topic, payload, timeout_s)

    async def subscribe(self, *topics: str) -> None:
        """Subscribe at QoS 1 to what is live; BrokerError. Watch `wait_for_end` meanwhile."""
        with translated():
            if self.version == 5:
                options = SubscribeOptions(qos=1, retainHandling=_NO_RETAINED)
                wanted = [(topic, options) for topic in topics]
                granted = await self._client.subscribe(wanted, timeout=_SUBACK_S)
            else:
                granted = await self._client.subscribe([(topic, 1) for topic in topics], timeout=_SUBACK_S)
        codes = [code.value if isinstance(code, ReasonCode) else code for code in granted]
        for topic, code in zip(topics, codes, strict=True):
            if code >= _FAILED:
                msg = f"the broker refused the subscription to {topic}"
                raise BrokerRefused(msg)

    async def unsubscribe(self, *topics: str) -> None:
        """Hear these no longer; BrokerError."""
        with translated():
            await self._client.unsubscribe(list(topics), timeout=_SUBACK_S)

    async def wait_for_end(self) -> None:
        """Wait until the connection is lost and say so with BrokerError."""
        with translated():
            async for _ in self._client.messages:  # ours bypass this queue; its end is the connection's
                pass


@asynccontextmanager
async def connect(
    connection: Connection,
    client_id: str,
    wish: SessionWish,
    on_message: Callable[[Link, Message], None] | None = None,
) -> AsyncIterator[Link]:
    """Connect once. BrokerRefused if we may not, BrokerError if it fails or when leaving finds it broken."""
    with translated():  # a password or certificate file may be missing just now
        client = _client(connection, client_id, wish)
    link = Link(client, wish.version)
    _hook(link, on_message)
    await _enter(client)
    try:
        yield link
    finally:
        link.open = False
        with suppress(aiomqtt.MqttError):  # it is gone either way
            await client.__aexit__(None, None, None)


async def _enter(client: aiomqtt.Client) -> None:
    try:
        with translated():
            await client.__aenter__()
    except BaseException:
        _abandon(client)
        raise


def _abandon(client: aiomqtt.Client) -> None:
    """Close what aiomqtt leaves open when a connection does not come about."""
    if client._misc_task is not None:
        client._misc_task.cancel()
    sock = client._client.socket()
    if sock is not None and sock.fileno() >= 0:
        loop = asyncio.get_running_loop()
        loop.remove_reader(sock.fileno())
        loop.remove_writer(sock.fileno())
        sock.close()


def _client(connection: Connection, client_id: str, wish: SessionWish) -> aiomqtt.Client:
    """Return a fresh client; one that is entered again would give us its old messages twice."""
    v5 = wish.version == 5
    return aiomqtt.Client(
        connection.host,
        connection.port,
        identifier=client_id,
        username=connection.username,
        password=connection.secret(),
        protocol=aiomqtt.ProtocolVersion.V5 if v5 else aiomqtt.ProtocolVersion.V311,
        clean_session=None if v5 else wish.clean,
        clean_start=wish.clean if v5 else 3,
        properties=_connect_properties(wish) if v5 else None,
        keepalive=connection.keepalive_s,
        timeout=connection.timeout_s,
        tls_context=_tls(connection),
        socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # else a receipt waits 40 ms for an ACK
    )


def _connect_properties(wish: SessionWish) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.ReceiveMaximum = wish.receive_maximum
    properties.SessionExpiryInterval = wish.expiry_s
    return properties


def _tls(connection: Connection) -> ssl.SSLContext | None:
    tls = connection.tls
    if tls is None:
        return None
    context = ssl.create_default_context(cafile=tls.ca_file)
    if tls.cert_file is not None:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context


def _hook(link: Link, on_message: Callable[[Link, Message], None] | None) -> None:
    """Listen in on paho's callbacks; aiomqtt still gets each of them."""
    paho = link._paho
    on_connect: Any = paho.on_connect
    on_disconnect: Any = paho.on_disconnect
    on_publish: Any = paho.on_publish
    on_socket_open: Any = paho.on_socket_open

    def opened(client: Any, userdata: Any, sock: Any) -> None:
        client._sock = ReadAhead(sock)
        on_socket_open(client, userdata, client._sock)

    def connected(client: PahoClient, userdata: Any, flags: Any, *rest: Any) -> None:
        link.session_present = flags.session_present
        link.open = True  # kept messages may follow in the same read
        on_connect(client, userdata, flags, *rest)

    def disconnected(*arguments: Any) -> None:
        link.open = False
        on_disconnect(*arguments)

    def published(client: PahoClient, userdata: Any, mid: int, code: Any, properties: Any) -> None:
        link.puback_code = code.value
        on_publish(client, userdata, mid, code, properties)

    paho.on_connect, paho.on_disconnect, paho.on_publish = connected, disconnected, None
    link.on_publish = published
    paho.on_socket_open = opened
    if on_message is not None:
        paho.manual_ack_set(True)
        paho.on_message = lambda _client, _userdata, message: on_message(link, _message(message))
        _take_plain(link, paho, on_message)


def _take_plain(link: Link, paho: Any, on_message: Callable[[Link, Message], None]) -> None:
    """Take the plain messages, of which there are many, past paho's objects; it still gets every other one."""
    handle_publish = paho._handle_publish

    def took() -> Any:
        packet = paho._in_packet
        message = plain_message(packet["command"], packet["packet"], link.version)
        if message is None:
            return handle_publish()
        on_message(link, message)
        return MQTT_ERR_SUCCESS

    paho._handle_publish = took


def _message(message: MQTTMessage) -> Message:
    try:
        topic = message.topic
    except UnicodeDecodeError:
        topic = ""
    return Message(topic, bytes(message.payload), message.mid, message.qos, message.dup)


class translated:  # noqa: N801 - reads as a statement
    """Turn aiomqtt's errors into ours: refused for good, or worth another try."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, MqttConnectError) and _code(error) in _AUTH_CODES:
            msg = f"the broker does not let us in: {error}"
            raise BrokerRefused(msg) from error
        if isinstance(error, aiomqtt.MqttError | OSError | asyncio.TimeoutError | ValueError):
            raise BrokerError(str(error) or type(error).__name__) from error


def _code(error: aiomqtt.MqttCodeError) -> int | None:
    return error.rc.value if isinstance(error.rc, ReasonCode) else error.rc
