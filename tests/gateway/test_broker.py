"""Which broker is started, and how."""

from pathlib import Path

import pytest
from derb_gateway.broker import BrokerProcess, broker_command, choose_engine, reachable
from derb_gateway.config import BrokerSettings
from derb_gateway.errors import BrokerError, BrokerMissing
from gateway.kit import free_port


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
    command = broker_command(BrokerSettings(directory=tmp_path / "b"), "mosquitto")
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


async def test_a_broker_that_ends_at_once_is_told(tmp_path: Path) -> None:
    settings = BrokerSettings(directory=tmp_path, port=free_port(), bind="203.0.113.1")
    broker = BrokerProcess(settings)
    with pytest.raises(BrokerError, match="ended at once"):
        await broker.start()
    await broker.stop()
