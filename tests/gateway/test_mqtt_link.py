"""The adapter over aiomqtt, against a real broker; fails first when a library changes under it."""

import asyncio
import logging
from pathlib import Path

import aiomqtt
import paho.mqtt.client
import pytest
from derb_gateway.config import Connection
from derb_gateway.errors import BrokerError, BrokerRefused
from derb_gateway.mqtt_link import NO_SUBSCRIBER, Link, SessionWish, connect
from derb_gateway.mqtt_packets import Message
from gateway.kit import eventually, free_port, mosquitto
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PERSISTENT = SessionWish(5, False, 60, 50)


class Taker:
    """Notes what comes; acknowledges what it is told to."""

    def __init__(self) -> None:
        self.came: list[tuple[Link, Message]] = []

    def note(self, link: Link, message: Message) -> None:
        self.came.append((link, message))

    def payloads(self) -> list[bytes]:
        return [message.payload for _, message in self.came]


def test_what_is_reached_for_is_there() -> None:
    for name in (
        "_handle_publish",
        "_packet_queue",
        "manual_ack_set",
        "on_connect",
        "on_disconnect",
        "on_publish",
        "on_message",
        "socket",
    ):
        assert hasattr(paho.mqtt.client.Client, name), name


async def test_the_private_parts_of_aiomqtt_are_where_they_were() -> None:
    client = aiomqtt.Client("127.0.0.1")
    assert isinstance(client._client, paho.mqtt.client.Client)
    assert client._misc_task is None


async def test_what_is_not_acknowledged_comes_again_with_its_flag(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        first, second = Taker(), Taker()
        async with connect(broker.settings, "gw", PERSISTENT, first.note) as link:
            assert not link.session_present
            await link.subscribe("t")
            for i in range(5):
                await link.publish("t", bytes([i]), 5)
            await eventually(lambda: len(first.came) == 5)
            for taken_link, message in first.came[:2]:
                taken_link.acknowledge([message.mid])
        for taken_link, message in first.came:
            taken_link.acknowledge([message.mid])  # too late: that connection is gone, nothing happens
        async with connect(broker.settings, "gw", PERSISTENT, second.note) as link:
            assert link.session_present
            await eventually(lambda: len(second.came) == 3)
        assert second.payloads() == [bytes([2]), bytes([3]), bytes([4])]
        assert all(message.dup for _, message in second.came)
        assert not any(message.dup for _, message in first.came)


async def test_the_window_is_what_we_asked_for(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        taker = Taker()
        async with connect(broker.settings, "gw", PERSISTENT, taker.note) as link:
            await link.subscribe("t")
            await link.publish_often("t", b"x", 80, 5)
            await eventually(lambda: len(taker.came) == 50)
            await asyncio.sleep(0.2)
            assert len(taker.came) == 50


async def test_retained_messages_of_others_do_not_come(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        taker = Taker()
        async with connect(broker.settings, "gw", PERSISTENT, taker.note) as link:
            assert link.publish_all([("t", b"old")], retain=True)
            await link.publish("other", b"", 5)
            await link.subscribe("t")
            await link.publish("t", b"new", 5)
            await eventually(lambda: len(taker.came) == 1)
        assert taker.payloads() == [b"new"]


async def test_a_message_that_bears_properties_comes_as_well(tmp_path: Path) -> None:
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = ("from", "elsewhere")
    with mosquitto(tmp_path) as broker:
        taker = Taker()
        async with connect(broker.settings, "gw", PERSISTENT, taker.note) as link:
            await link.subscribe("t")
            async with aiomqtt.Client("127.0.0.1", broker.port, protocol=aiomqtt.ProtocolVersion.V5) as other:
                await other.publish("t", b"plain", 1)
                await other.publish("t", b"with", 1, properties=properties)
            await eventually(lambda: taker.payloads() == [b"plain", b"with"])
        assert [(message.topic, message.qos, message.dup) for _, message in taker.came] == [
            ("t", 1, False)
        ] * 2


async def test_a_publication_that_nobody_wants_or_nobody_may_make_shows_in_its_code(tmp_path: Path) -> None:
    (tmp_path / "acl").write_text("topic read #\ntopic write open\n")
    with mosquitto(tmp_path) as broker:
        conf = tmp_path / "mosquitto.conf"
        conf.write_text(conf.read_text() + f"acl_file {tmp_path}/acl\n")
        broker.stop()
        broker.start()
        async with connect(broker.settings, "gw", SessionWish()) as link:
            assert await link.publish("open", b"", 5) == NO_SUBSCRIBER
            assert await link.publish("closed", b"", 5) == 0x87
            await link.subscribe("open")
            assert await link.publish("open", b"", 5) == 0


async def test_the_end_of_a_connection_is_told(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        async with connect(broker.settings, "gw", SessionWish()) as link:
            end = asyncio.create_task(link.wait_for_end())
            broker.stop(kill=True)
            with pytest.raises(BrokerError):
                await asyncio.wait_for(end, 5)
            assert not link.open
            assert not link.publish_all([("t", b"")], retain=True)
            with pytest.raises(BrokerError):
                await link.publish("t", b"", 1)


async def test_nobody_there() -> None:
    with pytest.raises(BrokerError, match="refused"):
        async with connect(Connection(port=free_port()), "gw", SessionWish()):
            pass


@pytest.mark.parametrize("what", ["no password file", "no authority", "bad authority", "no certificate"])
async def test_what_cannot_be_read_just_now_is_a_broker_that_is_away(tmp_path: Path, what: str) -> None:
    (tmp_path / "bad").write_text("not a certificate")
    settings: dict[str, dict[str, object]] = {
        "no password file": {"username": "gw", "password_file": tmp_path / "gone"},
        "no authority": {"tls": {"ca_file": tmp_path / "gone"}},
        "bad authority": {"tls": {"ca_file": tmp_path / "bad"}},
        "no certificate": {"tls": {"cert_file": tmp_path / "gone", "key_file": tmp_path / "gone"}},
    }
    connection = Connection.model_validate({"port": free_port(), **settings[what]})
    with pytest.raises(BrokerError):
        async with connect(connection, "gw", SessionWish()):
            pass


async def test_somebody_there_who_says_nothing() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(BrokerError, match="timed out"):
            async with connect(Connection(port=port, timeout_s=0.3), "gw", SessionWish()):
                pass
    await asyncio.sleep(0.05)


async def test_a_wrong_password_is_a_refusal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "mqtt")
    (tmp_path / "passwords").write_text("")
    with mosquitto(tmp_path, password_list=tmp_path / "passwords") as broker:
        settings = broker.settings.model_copy(update={"username": "gw", "password": "wrong"})
        with pytest.raises(BrokerRefused, match="does not let us in"):
            async with connect(settings, "gw", SessionWish()):
                pass


async def test_mqtt_3_1_1_for_brokers_that_know_no_better(tmp_path: Path) -> None:
    wish = SessionWish(4, False)
    with mosquitto(tmp_path) as broker:
        taker = Taker()
        async with connect(broker.settings, "gw", wish, taker.note) as link:
            assert not link.session_present
            await link.subscribe("t")
            await link.publish("t", b"kept", 5)
        async with connect(broker.settings, "gw", wish, taker.note) as link:
            assert link.session_present
            await eventually(lambda: taker.payloads()[-1:] == [b"kept"] and taker.came[-1][1].dup)
