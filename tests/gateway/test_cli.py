"""The command line: exit codes and where words go."""

import json
import logging
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from derb_gateway.cli import app
from gateway.kit import Disk, arrival, frame, free_port
from gateway.test_registry import NODES, PLACES
from typer.testing import CliRunner

runner = CliRunner()


@pytest.fixture(autouse=True)
def _root_logger_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root = logging.getLogger()
    level, library = root.level, logging.getLogger("mqtt").level
    monkeypatch.setattr(root, "handlers", [])
    yield
    root.setLevel(level)
    logging.getLogger("mqtt").setLevel(library)


def write(folder: Path, text: str = "") -> str:
    path = folder / "gateway.toml"
    path.write_text(f'site = "test"\nregistry = "registry.toml"\n[broker]\nport = {free_port()}\n{text}')
    (folder / "registry.toml").write_text(NODES + PLACES)
    return str(path)


def test_a_bad_configuration_is_misuse(tmp_path: Path) -> None:
    for command in ("run", "check", "status"):
        result = runner.invoke(app, [command, "--config", write(tmp_path, "prot = 1\n")])
        assert result.exit_code == 2
        assert "broker.prot: unknown key" in result.stderr
        assert result.stdout == ""


def test_a_bad_registry_is_misuse_too(tmp_path: Path) -> None:
    config = write(tmp_path)
    (tmp_path / "registry.toml").write_text("[[node]]\n")
    result = runner.invoke(app, ["run", "--config", config])
    assert result.exit_code == 2
    assert "node[0].id: is missing" in result.stderr


def test_a_store_that_another_gateway_has_is_a_failure(tmp_path: Path) -> None:
    config = write(tmp_path)
    disk = Disk(tmp_path / "derb.sqlite3")
    result = runner.invoke(app, ["run", "--config", config])
    disk.store.close()
    assert result.exit_code == 1
    assert "another gateway" in result.stderr


def test_status_is_json(tmp_path: Path) -> None:
    config = write(tmp_path, '[[sink]]\ntype = "file"\nname = "archive"\ndirectory = "out"\n')
    result = runner.invoke(app, ["status", "--config", config])
    assert (result.exit_code, result.stdout) == (1, "")
    assert "start the gateway first" in result.stderr
    disk = Disk(tmp_path / "derb.sqlite3")
    disk.take(arrival(frame(0)))
    disk.store.close()
    result = runner.invoke(app, ["status", "--config", config])
    assert result.exit_code == 0
    seen = json.loads(result.stdout)
    assert seen["counters"]["readings_stored"] == 1
    assert seen["sinks"] == {"archive": {"lag": 1, "refused": 0}}


def test_check_fails_when_something_is_bad(tmp_path: Path) -> None:
    result = runner.invoke(app, ["check", "--config", write(tmp_path)])
    assert result.exit_code == 1
    assert "bad  broker" in result.stdout
    result = runner.invoke(app, ["check", "--config", write(tmp_path, "manage = true\n")])
    assert result.exit_code == 0


def test_check_is_for_scripts_too(tmp_path: Path) -> None:
    result = runner.invoke(app, ["check", "--json", "--config", write(tmp_path)])
    assert result.exit_code == 1
    findings = json.loads(result.stdout)
    assert {"verdict", "what", "detail"} == set(findings[0])
    assert [f["verdict"] for f in findings if f["what"] == "broker"] == ["bad"]


def test_a_terminal_gets_tables_and_a_script_json(tmp_path: Path) -> None:
    """A real terminal: `script` would be one more program, a pty is there anyway."""
    config = write(tmp_path)
    disk = Disk(tmp_path / "derb.sqlite3")
    disk.take(arrival(frame(0)))
    disk.store.close()
    command = [sys.executable, "-m", "derb_gateway", "status", "--config", config]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # EIO: the other side is closed
            while chunk := os.read(ours, 4096):
                shown += chunk
    os.close(ours)
    assert process.returncode == 0
    assert b"no alarms" in shown
    assert b"1 readings taken" in shown
    asked = runner.invoke(app, ["status", "--json", "--config", config]).stdout
    assert json.loads(asked) == json.loads(runner.invoke(app, ["status", "--config", config]).stdout)


def test_a_gateway_that_opens_no_door_starts_without_what_a_door_needs() -> None:
    """Each start after a loss of power costs its imports, in time and in memory."""
    heavy = ("httpx", "starlette", "uvicorn", "prometheus_client", "nats")
    code = f"import sys, derb_gateway.cli; print([name for name in {heavy} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown == "[]\n"
