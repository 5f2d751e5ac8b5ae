"""What `derb gateway check` finds before it hurts."""

import sqlite3
from pathlib import Path

import pytest
from derb_gateway.broker import BrokerProcess
from derb_gateway.check import check, check_registry
from derb_gateway.config import Config, load_config
from derb_gateway.findings import Finding, Verdict
from derb_gateway.registry import Registry
from gateway.kit import (
    KEY,
    NODE,
    OTHER,
    OTHER_KEY,
    Disk,
    StillClock,
    arrival,
    frame,
    free_port,
    mosquitto,
    registry,
)
from gateway.test_registry import NODES, PLACES

SINK = '[[sink]]\ntype = "file"\nname = "archive"\ndirectory = "out"\n'


def configured(folder: Path, broker: str) -> Config:
    (folder / "gateway.toml").write_text(
        f'site = "test"\nregistry = "registry.toml"\n[broker]\n{broker}\n{SINK}'
    )
    nodes = folder / "registry.toml"
    if not nodes.exists():
        nodes.write_text(NODES + PLACES)
        nodes.chmod(0o600)
    return load_config(folder / "gateway.toml")


async def found(config: Config, clock: StillClock | None = None) -> dict[str, list[Finding]]:
    findings: dict[str, list[Finding]] = {}
    for finding in await check(config, clock or StillClock()):
        findings.setdefault(finding.what, []).append(finding)
    return findings


async def test_all_is_well(tmp_path: Path) -> None:
    findings = await found(configured(tmp_path, f'manage = true\nbind = "0.0.0.0"\nport = {free_port()}'))
    verdicts = {what: [finding.verdict for finding in each] for what, each in findings.items()}
    for of_this_machine in ("disk", "memory", "open files"):
        assert Verdict.BAD not in verdicts.pop(of_this_machine)
    names = ["registry", "secrets", "store", "clock", "broker", "sink archive"]
    assert verdicts == dict.fromkeys(names, [Verdict.OK])  # noqa: RUF024 - never changed


async def test_a_port_that_another_program_has(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "other") as other:
        (finding,) = (await found(configured(tmp_path, f"manage = true\nport = {other.port}")))["broker"]
    advice = "stop it (on Debian: sudo systemctl disable --now mosquitto) or set manage = false"
    assert finding == (Verdict.BAD, "broker", f"port {other.port} is taken by another program: {advice}")


async def test_the_port_is_its_own_gateway_s_while_that_runs(tmp_path: Path) -> None:
    config = configured(tmp_path, f'manage = true\nbind = "0.0.0.0"\nport = {free_port()}')
    disk, broker = Disk(config.store.path), BrokerProcess(config.broker)
    await broker.start()
    try:
        verdicts = [each.verdict for each in (await found(config))["broker"]]
    finally:
        await broker.stop()
        disk.store.close()
    assert verdicts == [Verdict.OK, Verdict.OK, Verdict.OK]


@pytest.mark.parametrize("bind", ["127.0.0.1", "localhost", "::1"])
async def test_a_broker_that_no_node_can_reach(tmp_path: Path, bind: str) -> None:
    config = configured(tmp_path, f'manage = true\nbind = "{bind}"\nport = {free_port()}')
    (finding,) = (await found(config))["broker"]
    assert finding.verdict is Verdict.WARN
    assert 'set broker.bind = "0.0.0.0" for nodes' in finding.detail


async def test_a_street_without_nodes_needs_no_network(tmp_path: Path) -> None:
    (tmp_path / "registry.toml").touch()
    (finding,) = (await found(configured(tmp_path, f"manage = true\nport = {free_port()}")))["broker"]
    assert finding.verdict is Verdict.OK


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ('username = "gw"\npassword_file = "none"', "none cannot be read"),
        ('manage = true\npassword_list = "none"', "none cannot be read"),
        ('manage = true\ndirectory = "registry.toml/broker"', "registry.toml is not a folder"),
        ('manage = true\nbind = "203.0.113.1"', "no broker can listen at 203.0.113.1"),
    ],
)
async def test_a_broker_that_would_not_start(tmp_path: Path, lines: str, why: str) -> None:
    (finding,) = (await found(configured(tmp_path, f"port = {free_port()}\n{lines}")))["broker"]
    assert finding.verdict is Verdict.BAD
    assert why in finding.detail


async def test_a_broker_with_its_own_limits_is_found_out(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker", receive_maximum=30, max_queued_messages=100) as broker:
        config = configured(tmp_path, f'port = {broker.port}\nreceive_maximum = 60\nprotocol = "3.1.1"')
        window, queue = (await found(config))["broker"]
        assert window == (
            Verdict.WARN,
            "broker",
            "only 30 of 60 messages unacknowledged at once: raise max_inflight_messages",
        )
        assert queue.verdict is Verdict.WARN
        assert "raise max_queued_messages" in queue.detail


async def test_the_broker_of_our_own_configuration_has_none(tmp_path: Path) -> None:
    with mosquitto(tmp_path / "broker", receive_maximum=60) as broker:
        config = configured(tmp_path, f"port = {broker.port}\nreceive_maximum = 60")
        assert [each.verdict for each in (await found(config))["broker"]] == [Verdict.OK, Verdict.OK]


async def test_no_broker(tmp_path: Path) -> None:
    (finding,) = (await found(configured(tmp_path, f"port = {free_port()}")))["broker"]
    assert finding.verdict is Verdict.BAD


async def test_a_bad_registry_an_open_secret_and_a_clock_nobody_set(tmp_path: Path) -> None:
    (tmp_path / "registry.toml").write_text("[[node]]\nid = 'x'\n")
    (tmp_path / "registry.toml").chmod(0o644)
    clock = StillClock()
    clock.is_synchronised = False
    findings = await found(configured(tmp_path, f"manage = true\nport = {free_port()}"), clock)
    assert findings["registry"][0].verdict is Verdict.BAD
    assert "node[0].key" in findings["registry"][0].detail
    assert findings["secrets"][0].verdict is Verdict.WARN
    assert findings["clock"][0].verdict is Verdict.WARN


async def test_a_registry_of_nobody(tmp_path: Path) -> None:
    (tmp_path / "registry.toml").write_text("")
    findings = await found(configured(tmp_path, f"manage = true\nport = {free_port()}"))
    assert findings["registry"][0].verdict is Verdict.WARN


def test_nodes_are_counted_and_those_without_a_place_named() -> None:
    bay = registry().bays[NODE]
    path = Path("registry.toml")
    assert check_registry(registry(), path).detail == "2 nodes; each has a place"
    assert check_registry(Registry({NODE: KEY}, {NODE: bay}), path).detail == "1 node; each has a place"
    lost = check_registry(Registry({NODE: KEY, OTHER: OTHER_KEY}, {NODE: bay}), path)
    assert lost == (
        Verdict.WARN,
        "registry",
        f"2 nodes; no place for {OTHER}: add a bay or a container",
    )
    many = check_registry(Registry({f"{i:012x}": bytes([i]) * 32 for i in range(7)}), path)
    assert "000000000004 and 2 more" in many.detail


async def test_a_store_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configured(tmp_path, f"port = {free_port()}")
    monkeypatch.setattr("derb_gateway.findings.os.access", lambda path, _: path != tmp_path)
    (finding,) = (await found(config))["store"]
    assert finding.verdict is Verdict.BAD
    assert f"{tmp_path} cannot be written" in finding.detail


async def test_a_store_of_a_newer_gateway(tmp_path: Path) -> None:
    config = configured(tmp_path, f"port = {free_port()}")
    with sqlite3.connect(config.store.path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    (finding,) = (await found(config))["store"]
    assert finding.verdict is Verdict.BAD
    assert "newer gateway" in finding.detail


async def test_a_store_in_use_and_a_damaged_one(tmp_path: Path) -> None:
    config = configured(tmp_path, f"manage = true\nport = {free_port()}")
    disk = Disk(config.store.path)
    disk.take(arrival(frame(0)))
    (finding,) = (await found(config))["store"]
    assert finding.verdict is Verdict.WARN
    assert "another gateway" in finding.detail
    disk.store.close()
    assert (await found(config))["store"][0].verdict is Verdict.OK
    config.store.path.write_bytes(b"no database at all" * 100)
    (finding,) = (await found(config))["store"]
    assert "will be set aside" in finding.detail
    assert config.store.path.exists()


async def test_a_disk_that_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 50_000_000

    monkeypatch.setattr("derb_gateway.check.shutil.disk_usage", lambda _: Usage)
    findings = await found(configured(tmp_path, f"manage = true\nport = {free_port()}"))
    assert findings["disk"][0].verdict is Verdict.BAD


async def test_a_configuration_with_a_password_in_it_is_a_secret_too(tmp_path: Path) -> None:
    config = configured(tmp_path, 'username = "u"\npassword = "p"')
    path = tmp_path / "gateway.toml"
    path.chmod(0o644)
    open_to_others = await check(config, StillClock(), path)
    path.chmod(0o600)
    closed = await check(config, StillClock(), path)
    verdicts = [
        [finding.verdict for finding in findings if str(path) in finding.detail]
        for findings in (open_to_others, closed)
    ]
    assert verdicts == [[Verdict.WARN], [Verdict.OK]]
