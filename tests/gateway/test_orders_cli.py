"""What an operator types: JSON on stdout, mistakes named, nothing done for a node that is not there."""

import json
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.cli import app
from gateway.test_cli import write
from gateway.test_registry import NODES
from gateway.test_releases import release
from typer.testing import CliRunner

runner = CliRunner()
NODE = NODES.split('id = "')[1].split('"')[0]


def derb(folder: Path, *words: str) -> Any:
    result = runner.invoke(app, [*words, "--config", write(folder)])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def misuse(folder: Path, *words: str) -> str:
    result = runner.invoke(app, [*words, "--config", write(folder)])
    assert result.exit_code == 2
    assert result.stdout == ""
    return result.stderr


def test_a_setting_is_wanted_and_shown(tmp_path: Path) -> None:
    assert derb(tmp_path, "config", "set", NODE, "wake_s=60")["desired"] == {"wake_s": 60}
    shown = derb(tmp_path, "config", "show", NODE.upper())
    assert shown["config"]["state"] == "waiting"
    assert shown["config"]["desired_version"] == 1


def test_a_command_is_queued_and_shown(tmp_path: Path) -> None:
    added = derb(tmp_path, "command", NODE, "identify", "--within", "10m", "--for", "5")
    (shown,) = derb(tmp_path, "config", "show", NODE)["commands"]
    assert shown["id"] == added["id"]
    assert (shown["argument"], shown["state"]) == (5, "waiting")


def test_an_update_takes_the_release_in_and_is_queued(tmp_path: Path) -> None:
    (tmp_path / "new.derb").write_bytes(release())
    assert derb(tmp_path, "update", NODE, str(tmp_path / "new.derb"))["update"] == "0.2.3"
    assert (tmp_path / "releases" / "203.derb").exists()
    (shown,) = derb(tmp_path, "config", "show", NODE)["commands"]
    assert (shown["command"], shown["argument"]) == ("update", 203)
    assert "has another update to deal with" in misuse(tmp_path, "update", NODE, str(tmp_path / "new.derb"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("config", "set", "0000000000ff", "wake_s=60"), "not in the registry"),
        (("config", "set", "xyz", "wake_s=60"), "12 hex digits"),
        (("config", "set", NODE, "wake=60"), "wake_s"),
        (("config", "set", NODE, "wake_s=1"), "5 to 86400"),
        (("command", NODE, "explode"), "there is no such command"),
        (("command", NODE, "reboot", "--within", "soon"), "10m"),
        (("command", NODE, "identify", "--for", "61"), "0 to 60 s"),
        (("command", NODE, "update"), "derb gateway update"),
        (("update", NODE, "/nowhere.derb"), "cannot be read"),
    ],
)
def test_mistakes_are_named_and_nothing_is_done(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    assert told in misuse(tmp_path, *words)
    assert derb(tmp_path, "config", "show", NODE)["commands"] == []


def test_every_setting_is_listed_and_no_secret() -> None:
    result = runner.invoke(app, ["config", "fields"])
    assert result.exit_code == 0
    assert "wake_s" in result.stdout
    assert "(secret)" in result.stdout
