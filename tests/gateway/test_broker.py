"""Which broker is started, and how."""

import asyncio
import errno
import logging
import socket
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.broker import BrokerProcess, broker_command, choose_engine, port_fault, reachable
from derb_gateway.config import BrokerSettings
from derb_gateway.errors import BrokerError, BrokerMissing
from gateway.kit import eventually, free_port, mosquitto, running


@pytest.fixture
def _no_mosquitto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("derb_gateway.mosquitto.shutil.which", lambda *_, **__: None)


def test_mosquitto_where_there_is_one() -> None:
    assert choose_engine(BrokerSettings()) == "mosquitto"


@pytest.mark.usefixtures("_no_mosquitto")
def test_amqtt_where_there_is_none_and_then_an_older_mqtt() -> None:
    assert choose_engine(BrokerSettings()) == "amqtt"
    assert BrokerProcess(BrokerSettings()).settings.mqtt_version() == 4


@pytest.mark.usefixtures("_no_mosquitto")
def test_who_asks_for_mosquitto_gets_no_other() -> None:
    with pytest.raises(BrokerMissing, match="mosquitto"):
        choose_engine(BrokerSettings(engine="mosquitto"))


@pytest.mark.usefixtures("_no_mosquitto")
def test_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("derb_gateway.broker.find_spec", lambda _: None)
    with pytest.raises(BrokerMissing, match="no broker here"):
        choose_engine(BrokerSettings())


def test_the_configuration_is_written_beside_the_broker_s_files(tmp_path: Path) -> None:
    command = broker_command(BrokerSettings(directory=tmp_path / "b"), "mosquitto", {})
    assert command[1:] == ["-c", str(tmp_path / "b" / "mosquitto.conf")]
    assert "listener 1883" in (tmp_path / "b" / "mosquitto.conf").read_text()


async def test_start_and_stop(tmp_path: Path) -> None:
    settings = BrokerSettings(directory=tmp_path, port=free_port())
    broker = BrokerProcess(settings)
    await broker.start()
    assert await reachable("127.0.0.1", settings.port)
    await broker.stop()
    await broker.stop()
    assert not await reachable("127.0.0.1", settings.port)
    assert (tmp_path / "mosquitto.db").exists()  # it ended politely


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("derb_gateway.broker._FREE_S", 0.0)


@pytest.mark.usefixtures("_impatient")
async def test_a_port_that_another_program_has_is_told_with_what_to_do(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "other") as other:
        broker = BrokerProcess(BrokerSettings(directory=tmp_path, port=other.port))
        with pytest.raises(BrokerError, match=r"taken by another program: stop it .* or set manage = false"):
            await broker.start()


@pytest.mark.usefixtures("_impatient")
async def test_an_address_that_is_not_ours_is_told(tmp_path: Path) -> None:
    broker = BrokerProcess(BrokerSettings(directory=tmp_path, port=free_port(), bind="203.0.113.1"))
    with pytest.raises(BrokerError, match=r"no broker can listen at 203\.0\.113\.1"):
        await broker.start()


async def test_a_port_that_comes_free_is_waited_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as old:
        broker = BrokerProcess(BrokerSettings(directory=tmp_path, port=old.getsockname()[1]))
        starting = asyncio.create_task(broker.start())
        await asyncio.sleep(0)
    await starting
    await broker.stop()


async def test_what_listens_elsewhere_on_the_port_is_found_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.2", 0)) as other:
        fault = await port_fault(BrokerSettings(port=other.getsockname()[1], bind="127.0.0.2"))
    assert fault is not None
    assert "is taken" in fault


async def test_a_folder_that_cannot_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    broker = BrokerProcess(BrokerSettings(directory=tmp_path / "file", port=free_port(), engine="mosquitto"))
    with pytest.raises(
        BrokerError, match=r"file cannot be written \(File exists\): make room, or give it to"
    ):
        await broker.start()


async def test_a_broker_that_ends_at_once_is_told(tmp_path: Path) -> None:
    settings = BrokerSettings(directory=tmp_path, port=free_port(), password_list=tmp_path / "none")
    broker = BrokerProcess(settings)
    with pytest.raises(BrokerError, match="ended at once"):
        await broker.start()
    await broker.stop()


async def test_a_broker_for_which_there_is_no_process_is_started_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    start, refused = asyncio.create_subprocess_exec, asyncio.Event()

    async def no_room_once(*words: Any, **how: Any) -> Any:
        if not refused.is_set():
            refused.set()
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        return await start(*words, **how)

    monkeypatch.setattr("derb_gateway.broker.asyncio.create_subprocess_exec", no_room_once)
    settings = BrokerSettings(directory=tmp_path, port=free_port(), retry_base_s=0.01, retry_max_s=0.01)
    broker = BrokerProcess(settings)
    async with running(broker.run()):
        await eventually(lambda: "broker started" in caplog.messages)
    await broker.stop()
    assert refused.is_set()
