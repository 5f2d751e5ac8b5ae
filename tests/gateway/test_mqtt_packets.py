"""Our packets are byte for byte those of paho, and what we take of one is what paho takes of it."""

from contextlib import suppress

import paho.mqtt.client
import pytest
from derb_gateway.mqtt_packets import Message, plain_message, pubacks, publish
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt._packet import decode_publish
from paho.mqtt.client import MalformedPacket, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

VERSIONS = (MQTTv311, MQTTv5)
TOPICS = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="+#\0"), min_size=1, max_size=300
)


class Sending(paho.mqtt.client.Client):
    """A client whose packets go into a list."""

    def __init__(self, version: MQTTProtocolVersion) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, "one", protocol=version)
        self._sock = object()
        self.sent: list[bytes] = []

    def _packet_queue(self, command: int, packet: bytes, *_: object, **__: object) -> int:
        self.sent.append(bytes(packet))
        return 0

    def _sock_close(self) -> None:
        self._sock = None


def body_of(packet: bytes) -> bytes:
    """What follows the remaining length."""
    at = 1
    while packet[at] & 0x80:
        at += 1
    return packet[at + 1 :]


@pytest.mark.parametrize("version", VERSIONS)
@given(topic=TOPICS, payload=st.binary(max_size=300), retain=st.booleans())
def test_a_publication(version: MQTTProtocolVersion, topic: str, payload: bytes, retain: bool) -> None:
    paho_client = Sending(version)
    paho_client.publish(topic, payload, 0, retain)
    assert paho_client.sent == [publish(topic, payload, retain=retain, version=version)]


@pytest.mark.parametrize("size", [0, 100, 127, 128, 16_383, 16_384, 2_097_152])
def test_a_long_publication(size: int) -> None:
    paho_client = Sending(MQTTv5)
    paho_client.publish("t", bytes(size))
    assert paho_client.sent == [publish("t", bytes(size), retain=False, version=5)]


def test_acknowledgements() -> None:
    paho_client = Sending(MQTTv5)
    for mid in (1, 255, 256, 65_535):
        paho_client._send_puback(mid)
    assert b"".join(paho_client.sent) == pubacks((1, 255, 256, 65_535))
    assert pubacks(()) == b""


@pytest.mark.parametrize("topic", ["", "x" * 65_536])
def test_what_no_packet_holds(topic: str) -> None:
    with pytest.raises(ValueError, match="a topic of"):
        publish(topic, b"", retain=False, version=5)


@pytest.mark.parametrize("version", VERSIONS)
@given(topic=TOPICS, payload=st.binary(max_size=50), qos=st.sampled_from((0, 1)), dup=st.booleans())
def test_what_is_taken_of_a_publication(
    version: MQTTProtocolVersion, topic: str, payload: bytes, qos: int, dup: bool
) -> None:
    paho_client = Sending(version)
    paho_client._send_publish(7, topic.encode(), payload, qos, False, dup)
    (packet,) = paho_client.sent
    assert plain_message(packet[0], body_of(packet), version) == Message(topic, payload, 7 * qos, qos, dup)


@pytest.mark.parametrize("version", VERSIONS)
@given(header=st.integers(0x30, 0x3F), body=st.binary(max_size=40))
def test_of_any_bytes_it_takes_what_paho_takes_or_leaves_them_to_paho(
    version: MQTTProtocolVersion, header: int, body: bytes
) -> None:
    taken = plain_message(header, body, version)
    if taken is not None:
        theirs = decode_publish(header, body, version)
        assert (theirs.topic, theirs.payload, theirs.mid) == (taken.topic.encode(), taken.payload, taken.mid)
        assert (theirs.qos, theirs.dup) == (taken.qos, taken.dup)
        assert theirs.properties is None or theirs.properties.isEmpty()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_cut_of_a_publication_is_left_to_paho_or_has_its_head(version: MQTTProtocolVersion) -> None:
    paho_client = Sending(version)
    paho_client._send_publish(7, b"d/x/u", b"abc", 1, False, False)
    body = body_of(paho_client.sent[0])
    for end in range(len(body)):
        taken = plain_message(0x32, body[:end], version)
        with suppress(MalformedPacket):
            assert (taken is None) == (end < len(body) - 3)


def test_properties_and_quality_2_are_left_to_paho() -> None:
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = ("a", "b")
    paho_client = Sending(MQTTv5)
    paho_client._send_publish(7, b"t", b"abc", 1, False, False, None, properties)
    paho_client._send_publish(7, b"t", b"abc", 2, False, False)
    assert [plain_message(packet[0], body_of(packet), 5) for packet in paho_client.sent] == [None, None]
    assert plain_message(0x32, b"\x00\x01\xff\x00\x07\x00abc", 5) is None, "a topic that is no text"
