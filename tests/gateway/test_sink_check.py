"""What is found about the ways to the city before they are needed."""

import logging
import socket
from pathlib import Path

import pytest
from derb_gateway.config import FileSinkSettings, MqttSinkSettings, SinkSettings
from derb_gateway.findings import Finding, Verdict
from derb_gateway.sink_check import check_sinks
from gateway.kit import free_port, mosquitto


async def found(*sinks: SinkSettings) -> list[Finding]:
    return [finding async for finding in check_sinks(list(sinks))]


def files(folder: Path) -> FileSinkSettings:
    return FileSinkSettings(type="file", name="archive", directory=folder)


def city(port: int, **more: object) -> MqttSinkSettings:
    return MqttSinkSettings.model_validate({"type": "mqtt", "name": "city", "port": port, **more})


async def test_no_sink_at_all() -> None:
    (finding,) = await found()
    assert finding.verdict is Verdict.WARN
    assert "add a [[sink]]" in finding.detail


async def test_a_folder_that_is_there_and_one_that_will_be(tmp_path: Path) -> None:
    there, new = await found(files(tmp_path), files(tmp_path / "a" / "b"))
    assert there == (Verdict.OK, "sink archive", f"{tmp_path} can be written")
    assert new == (Verdict.OK, "sink archive", f"{tmp_path / 'a' / 'b'} will be made")
    assert not (tmp_path / "a").exists()


async def test_a_folder_that_cannot_be_made_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (finding,) = await found(files(tmp_path / "file" / "out"))
    assert finding == (Verdict.BAD, "sink archive", f"{tmp_path / 'file'} is not a folder")
    monkeypatch.setattr("derb_gateway.findings.os.access", lambda *_: False)
    for folder in (tmp_path, tmp_path / "out"):
        (finding,) = await found(files(folder))
        assert finding.verdict is Verdict.BAD
        assert f"{tmp_path} cannot be written" in finding.detail


async def test_an_upstream_that_is_there(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        ours, named = await found(city(broker.port), city(broker.port, client_id="only-me"))
    assert ours == (Verdict.OK, "sink city", f"127.0.0.1:{broker.port} lets us in")
    assert named == (Verdict.OK, "sink city", f"127.0.0.1:{broker.port} takes connections")


async def test_an_upstream_that_is_away() -> None:
    port = free_port()
    (finding,) = await found(city(port))
    assert finding.verdict is Verdict.WARN
    assert f"nothing takes connections at 127.0.0.1:{port}" in finding.detail


async def test_an_upstream_that_does_not_let_us_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "mqtt")
    (tmp_path / "passwords").touch()
    with mosquitto(tmp_path, password_list=tmp_path / "passwords") as broker:
        (finding,) = await found(city(broker.port, username="gw", password="wrong"))
    assert finding.verdict is Verdict.BAD
    assert "see username and password" in finding.detail


async def test_a_port_where_something_else_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel takes its connections
        (finding,) = await found(city(silent.getsockname()[1], timeout_s=0.3))
    assert finding.verdict is Verdict.WARN
    assert "see port and tls" in finding.detail


async def test_a_secret_that_is_not_there(tmp_path: Path) -> None:
    none = tmp_path / "none"
    (finding,) = await found(city(1, username="gw", password_file=none))
    assert finding.verdict is Verdict.BAD
    assert f"{none} cannot be read" in finding.detail
    (finding,) = await found(city(1, tls={"ca_file": none}))
    assert f"{none} cannot be read" in finding.detail
