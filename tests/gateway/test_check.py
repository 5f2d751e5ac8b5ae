"""What `derb gateway check` finds before it hurts."""

from pathlib import Path

import pytest
from derb_gateway.check import Finding, Verdict, check
from derb_gateway.config import Config, load_config
from gateway.kit import Disk, StillClock, arrival, frame, free_port, mosquitto
from gateway.test_registry import NODES, PLACES


def configured(folder: Path, broker: str) -> Config:
    (folder / "gateway.toml").write_text(f'site = "test"\nregistry = "registry.toml"\n[broker]\n{broker}\n')
    registry = folder / "registry.toml"
    if not registry.exists():
        registry.write_text(NODES + PLACES)
        registry.chmod(0o600)
    return load_config(folder / "gateway.toml")


async def found(config: Config, clock: StillClock | None = None) -> dict[str, list[Finding]]:
    findings: dict[str, list[Finding]] = {}
    for finding in await check(config, clock or StillClock()):
        findings.setdefault(finding.what, []).append(finding)
    return findings


async def test_all_is_well(tmp_path: Path) -> None:
    findings = await found(configured(tmp_path, f"manage = true\nport = {free_port()}"))
    verdicts = {what: [finding.verdict for finding in each] for what, each in findings.items()}
    disk = verdicts.pop("disk")
    assert disk[0] is not Verdict.BAD
    assert verdicts == dict.fromkeys(["registry", "secrets", "store", "clock", "broker"], [Verdict.OK])  # noqa: RUF024 - never changed


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
