"""`derb load` against a real broker and the real gateway."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from derb_gateway.registry import load_registry
from derb_tools.errors import ToolError
from derb_tools.load import fleet_nodes, upstream_report
from gateway.kit import DEADLINE_S, free_port, listening, wait_until
from tools.command import run_derb


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A gateway with its broker, whose registry the load made."""
    port = free_port()
    assert (
        run_derb("load", "--nodes", "20", "--write-registry", str(tmp_path / "registry.toml")).returncode == 0
    )
    (tmp_path / "gateway.toml").write_text(
        f'site = "load"\nregistry = "registry.toml"\n[broker]\nmanage = true\nport = {port}\n'
        '[[sink]]\ntype = "file"\nname = "archive"\ndirectory = "out"\n'
    )
    command = [sys.executable, "-m", "derb_gateway", "run", "--config", str(tmp_path / "gateway.toml")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait_until(lambda: listening(port))
    yield port
    process.terminate()
    process.wait(DEADLINE_S)


def test_all_is_confirmed_and_upstream_once(port: int, tmp_path: Path) -> None:
    options = ["--rate", "100", "--seconds", "2", "--broker", f"127.0.0.1:{port}"]
    files = ["--registry", str(tmp_path / "registry.toml"), "--upstream", str(tmp_path / "out")]
    result = run_derb("load", *options, *files)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["sent"], report["receipted"], report["lost"]) == (200, 200, 0)
    assert (report["upstream"], report["upstream_missing"], report["upstream_doubled"]) == (200, 0, 0)
    assert report["bad_downlinks"] == 0
    assert 0 < report["latency_ms_p50"] <= report["latency_ms_p99"]


def test_ended_early_it_waits_for_the_last_receipts_and_reports(port: int, tmp_path: Path) -> None:
    options = ["--rate", "100", "--seconds", "1000", "--broker", f"127.0.0.1:{port}"]
    command = [sys.executable, "-m", "derb_tools.cli", "load", *options]
    process = subprocess.Popen(
        [*command, "--registry", tmp_path / "registry.toml"], stdout=subprocess.PIPE, text=True
    )
    wait_until(lambda: any((tmp_path / "out").glob("*.ndjson")))
    process.send_signal(signal.SIGINT)
    report = json.loads(process.communicate(timeout=30)[0])
    assert process.returncode == 0
    assert report["sent"] == report["receipted"] > 0


def test_a_new_registry_is_its_owners_alone_and_told(tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    result = run_derb("load", "--nodes", "3", "--write-registry", path)
    assert (result.returncode, result.stdout.count("\n")) == (0, 1)
    assert f"{path}: 3 made-up nodes" in result.stdout
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(fleet_nodes(path)) == 3


def test_a_registry_that_is_there_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    path.write_text("keys of a real street")
    result = run_derb("load", "--write-registry", path)
    assert (result.returncode, result.stderr) == (
        1,
        f"derb: {path} exists already: choose another name\n",
    )
    assert path.read_text() == "keys of a real street"


def test_no_folder_to_write_a_registry_into(tmp_path: Path) -> None:
    result = run_derb("load", "--write-registry", tmp_path / "none" / "registry.toml")
    assert result.returncode == 1
    assert result.stderr.endswith(f"there is no folder {tmp_path / 'none'}\n")
    (tmp_path / "file").touch()
    result = run_derb("load", "--write-registry", tmp_path / "file" / "registry.toml")
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)


def test_a_registry_of_nobody_is_no_fleet(tmp_path: Path) -> None:
    (tmp_path / "registry.toml").touch()
    with pytest.raises(ToolError, match="has no node"):
        fleet_nodes(tmp_path / "registry.toml")


def test_without_a_registry_it_is_misused() -> None:
    assert run_derb("load", "--nodes", "2").returncode == 2


def test_a_registry_that_is_too_small(tmp_path: Path) -> None:
    path = tmp_path / "registry.toml"
    run_derb("load", "--nodes", "2", "--write-registry", str(path))
    assert len(load_registry(path).keys) == 2
    with pytest.raises(ToolError, match="2 nodes, not 3"):
        fleet_nodes(path, 3)


def test_what_is_doubled_or_missing_upstream_is_found(tmp_path: Path) -> None:
    lines = [json.dumps({"key": key}) for key in ("a:1:0", "a:1:1", "a:1:1", "other:1:0")]
    (tmp_path / "readings-000001.ndjson").write_text("\n".join(lines) + '\n{"key":"a:1:2')
    report = upstream_report(tmp_path, {"a:1:0", "a:1:1", "a:1:2"})
    assert report == {"upstream": 2, "upstream_missing": 1, "upstream_doubled": 1}
