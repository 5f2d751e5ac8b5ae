"""A node's rights at a real Mosquitto: its own topics, by its own key, and nothing else; a stolen node speaks only for itself."""

import asyncio
import errno
import json
import os
import stat
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from derb_gateway.broker import BrokerProcess, broker_command
from derb_gateway.broker_access import acl_lines, acl_path, pre_shared_key, psk_path, write_access
from derb_gateway.config import BrokerSettings, Connection
from derb_gateway.mosquitto import mosquitto_conf
from derb_gateway.mqtt_link import SessionWish, connect
from derb_tools.interpreters import board_command
from derb_tools.thirdparty import umqtt_dir
from gateway.kit import free_port

STOLEN, OTHER, STRANGER = "240ac4000001", "240ac4000002", "240ac4000003"
KEYS = {STOLEN: bytes(range(32)), OTHER: bytes(range(1, 33))}
THIEF = Path(__file__).with_name("stolen_node.py")


def settings(folder: Path, **more: object) -> BrokerSettings:
    ports = {"port": free_port(), "psk_port": free_port(), "psk_bind": "127.0.0.1"}
    return BrokerSettings.model_validate({**ports, "directory": folder, "manage": True, **more})


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[BrokerProcess]:
    process = BrokerProcess(settings(tmp_path), KEYS)
    await process.start()
    yield process
    await process.stop()


class Gateway:
    """Hears what nodes say, at the listener that is the gateway's own."""

    def __init__(self, broker: BrokerProcess) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._context = connect(
            Connection(port=broker.settings.port),
            "gateway",
            SessionWish(5, True),
            lambda _, message: self.heard.append((message.topic, bytes(message.payload))),
        )

    async def __aenter__(self) -> "Gateway":
        self.link = await self._context.__aenter__()
        await self.link.subscribe("d/+/u")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._context.__aexit__(None, None, None)


async def tries(
    broker: BrokerProcess,
    identity: str,
    key: bytes,
    *,
    publish: tuple[str, ...] = (),
    subscribe: tuple[str, ...] = (),
) -> list[str]:
    """What becomes of what a thief does, in his order: to connect, to publish, to subscribe."""
    asked = {
        "host": "127.0.0.1",
        "port": broker.settings.psk_port,
        "identity": identity,
        "key": key.hex(),
        "publish": list(publish),
        "subscribe": list(subscribe),
    }
    command = board_command("import stolen_node", [THIEF.parent, umqtt_dir()])
    done = await asyncio.to_thread(
        subprocess.run, command, input=json.dumps(asked) + "\n", capture_output=True, text=True, timeout=30
    )
    assert not done.stderr, done.stderr
    return [line.split()[1] for line in done.stdout.splitlines()]


def psk(node: str) -> bytes:
    return pre_shared_key(node, KEYS[node])


async def test_a_node_speaks_and_hears_for_itself(broker: BrokerProcess) -> None:
    async with Gateway(broker) as gateway:
        assert await tries(
            broker, STOLEN, psk(STOLEN), publish=(f"d/{STOLEN}/u",), subscribe=(f"d/{STOLEN}/d",)
        ) == ["done", "done", "done"]
        await asyncio.sleep(0.1)
        assert gateway.heard == [(f"d/{STOLEN}/u", b"stolen")]


async def test_a_stolen_node_speaks_for_nobody_else(broker: BrokerProcess) -> None:
    """Mosquitto drops what is not allowed and acknowledges it all the same, so what counts is what arrives."""
    topics = (
        f"d/{OTHER}/u",
        f"d/{STOLEN}/d",
        f"d/{OTHER}/d",
        f"d/{STOLEN}/u/x",
        "d",
        "derb/site/readings",
        "x",
    )
    async with Gateway(broker) as gateway:
        await gateway.link.subscribe("#")
        assert await tries(broker, STOLEN, psk(STOLEN), publish=topics) == ["done"] * 8
        await tries(broker, OTHER, psk(OTHER), publish=(f"d/{OTHER}/u",))
        await asyncio.sleep(0.1)
        assert {heard[0] for heard in gateway.heard} == {f"d/{OTHER}/u"}
        assert len(gateway.heard) <= 2, "once for each subscription that it fits"


async def test_a_stolen_node_hears_nobody_else(broker: BrokerProcess) -> None:
    """A subscription may be granted and stay empty, or be refused; nothing of another comes by it."""
    mine, others = f"d/{STOLEN}/d", (f"d/{OTHER}/d", f"d/{OTHER}/u", "d/x")
    topics = ("#", "d/#", "d/+/u", "d/+/d", f"d/{OTHER}/d", f"d/{OTHER}/u", "$SYS/#")
    async with Gateway(broker) as gateway:
        for retained in (*others, mine):
            assert gateway.link.publish_all([(retained, b"for one alone")], retain=True)
        await asyncio.sleep(0.1)
        done = await tries(broker, STOLEN, psk(STOLEN), subscribe=(*topics, mine))
    assert done[0] == "done"
    assert {word for word in done if "/" in word} == {mine}


async def test_without_its_own_key_nobody_gets_in(broker: BrokerProcess) -> None:
    for identity, key in (
        (OTHER, psk(STOLEN)),
        (STRANGER, psk(STOLEN)),
        (STOLEN, bytes(32)),
        (STOLEN, KEYS[STOLEN]),
        ("derb-gateway", psk(STOLEN)),
        (STOLEN.upper(), psk(STOLEN)),
    ):
        assert await tries(broker, identity, key) == ["refused"], identity
    assert await tries(broker, STOLEN, psk(STOLEN)) == ["done"]


async def test_a_node_that_is_taken_out_of_the_registry_is_a_stranger_at_once(broker: BrokerProcess) -> None:
    broker.admit({OTHER: KEYS[OTHER], STRANGER: bytes(32)})
    await asyncio.sleep(0.3)
    assert await tries(broker, STOLEN, psk(STOLEN)) == ["refused"]
    assert await tries(broker, OTHER, psk(OTHER)) == ["done"]
    assert await tries(broker, STRANGER, pre_shared_key(STRANGER, bytes(32))) == ["done"]


def test_both_files_are_the_owners_alone(tmp_path: Path) -> None:
    made = settings(tmp_path)
    write_access(made, KEYS)
    write_access(made, KEYS)
    for path in (psk_path(made), acl_path(made)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert all(key.hex() not in psk_path(made).read_text() for key in KEYS.values()), (
        "what signs readings is not there"
    )


def test_the_gateway_may_do_all_and_a_node_that_takes_its_name_may_not(tmp_path: Path) -> None:
    assert "user street-gateway\ntopic readwrite #" in "\n".join(acl_lines(KEYS, "street-gateway"))
    made = settings(tmp_path, username=STOLEN)
    write_access(made, KEYS)
    assert "readwrite" not in acl_path(made).read_text()


def test_with_passwords_the_open_listener_has_the_rights_too(tmp_path: Path) -> None:
    made = settings(tmp_path, psk_port=None, password_list=tmp_path / "passwords")
    assert f"acl_file {acl_path(made)}" in mosquitto_conf(made, rights=True)
    assert "psk" not in mosquitto_conf(made, rights=True)


@pytest.mark.parametrize("wrong", [{"manage": False}, {"port": 8883, "psk_port": 8883}])
def test_a_psk_port_that_cannot_be_is_refused(wrong: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="psk_port"):
        settings(tmp_path, **wrong)


def test_a_full_disk_stops_no_broker_whose_nodes_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    street = settings(tmp_path, engine="mosquitto")
    command = broker_command(street, "mosquitto", KEYS)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(os, "open", full)
    assert broker_command(street, "mosquitto", KEYS) == command
    with pytest.raises(OSError, match="No space"):
        broker_command(street, "mosquitto", {OTHER: KEYS[OTHER]})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_file_that_others_may_read_is_made_anew(tmp_path: Path) -> None:
    street = settings(tmp_path)
    write_access(street, KEYS)
    psk_path(street).chmod(0o644)
    write_access(street, KEYS)
    assert stat.S_IMODE(psk_path(street).stat().st_mode) == 0o600
