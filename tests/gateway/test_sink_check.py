"""What is found about the ways to the city before they are needed."""

import logging
import socket
from pathlib import Path

import pytest
from derb_gateway.findings import Finding, Verdict
from derb_gateway.sink_check import check_sinks
from derb_gateway.sink_settings import (
    FileSinkSettings,
    HttpSinkSettings,
    MqttSinkSettings,
    NgsiLdSinkSettings,
    SinkSettings,
)
from gateway.fake_upstream import fake_upstream, http
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


def over_http(port: int, kind: str = "http", **more: object) -> SinkSettings:
    values = {"name": "city", "url": f"http://127.0.0.1:{port}/in", "timeout_s": 10.0, **more}
    model = HttpSinkSettings if kind == "http" else NgsiLdSinkSettings
    return model.model_validate({"type": kind, **values})


@pytest.mark.parametrize(
    ("status", "verdict"), [(200, "ok"), (405, "ok"), (404, "ok"), (401, "bad"), (403, "bad"), (500, "ok")]
)
async def test_an_upstream_over_http(status: int, verdict: str) -> None:
    async with fake_upstream() as upstream:
        upstream.otherwise = lambda _: http(status)
        (finding,) = await found(over_http(upstream.port))
    assert finding.verdict.name == verdict.upper()
    assert [(asked.method, asked.body) for asked in upstream.asked] == [("HEAD", b"")]


async def test_a_context_broker_and_a_place_where_there_is_none() -> None:
    async with fake_upstream() as upstream:
        upstream.script = [http(200, b"[]"), http(404)]
        there, none = await found(*[over_http(upstream.port, "ngsi-ld")] * 2)
    assert there.verdict is Verdict.OK
    assert "no NGSI-LD broker there" in none.detail
    assert upstream.asked[0].path == "/in/ngsi-ld/v1/entities?type=ParkingSpot&limit=1"


async def test_nobody_is_there_over_http() -> None:
    (finding,) = await found(over_http(free_port()))
    assert finding.verdict is Verdict.WARN
    assert "see url and tls" in finding.detail


async def test_a_token_that_is_not_there(tmp_path: Path) -> None:
    (finding,) = await found(over_http(1, token_file=tmp_path / "none"))
    assert finding.verdict is Verdict.BAD
    assert "none cannot be read" in finding.detail
