"""`derb load` against a real broker and the real gateway."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from derb_gateway.registry import load_registry
from derb_tools.errors import ToolError
from derb_tools.load import fleet_nodes, percentile, upstream_report
from gateway.kit import free_port, listening, wait_until
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
    process.wait(20)


def test_all_is_confirmed_and_upstream_once(port: int, tmp_path: Path) -> None:
    options = ["--nodes", "20", "--rate", "100", "--seconds", "2", "--broker", f"127.0.0.1:{port}"]
    files = ["--registry", str(tmp_path / "registry.toml"), "--upstream", str(tmp_path / "out")]
    result = run_derb("load", *options, *files)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["sent"], report["receipted"], report["lost"]) == (200, 200, 0)
    assert (report["upstream"], report["upstream_missing"], report["upstream_doubled"]) == (200, 0, 0)
    assert report["bad_downlinks"] == 0
    assert 0 < report["latency_ms_p50"] <= report["latency_ms_p99"]


def test_without_a_broker_it_says_so(tmp_path: Path) -> None:
    registry = str(tmp_path / "registry.toml")
    run_derb("load", "--nodes", "2", "--write-registry", registry)
    result = run_derb("load", "--nodes", "2", "--registry", registry, "--broker", f"127.0.0.1:{free_port()}")
    assert result.returncode == 1
    assert "cannot be reached" in result.stderr


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


def test_percentiles() -> None:
    assert percentile([], 50) is None
    assert [percentile([1.0, 2.0, 3.0, 4.0], p) for p in (0, 50, 99)] == [1.0, 3.0, 4.0]
