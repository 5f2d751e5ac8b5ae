"""`derb fleet` against a gateway's own commands, over an ssh that is a script here: quoting, stdin and exit codes are real."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.registry import load_registry
from derb_tools.errors import AskedWrong, GatewayUnreached, ToolError
from derb_tools.fleet import app
from derb_tools.fleet.gateway_shell import GatewayShell
from gateway.kit import NODE, OTHER, Disk, arrival, frame
from gateway.test_cli import write
from gateway.test_releases import release
from tools.command import run_derb
from typer.testing import CliRunner

Fleet = Callable[..., Any]
NEW, NEW_KEY = "7cdfa1000002", "ab" * 32
# As sshd does: the words behind the host are one line for a shell.
SSH = """#!/bin/sh
while [ "$1" != "--" ]; do shift; done
[ "$2" = "pi@kerb" ] || { echo "no such host" >&2; exit 255; }
exec sh -c "$3"
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "a gateway's folder"
    folder.mkdir()
    write(folder)
    disk = Disk(folder / "derb.sqlite3")
    disk.take(arrival(frame(0)))
    disk.store.close()
    return folder


@pytest.fixture
def fleet(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    for name, text in (("ssh", SSH), ("derb", f'#!/bin/sh\nexec {sys.executable} -m derb_tools.cli "$@"\n')):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DERB_GATEWAY", "pi@kerb")
    monkeypatch.setenv("DERB_GATEWAY_CONFIG", str(site / "gateway.toml"))
    return lambda *words, **more: CliRunner().invoke(app, words, env=more)


def test_nodes_in_trouble_and_versions(fleet: Fleet) -> None:
    listed = fleet("list", "--json")
    assert listed.exit_code == 1
    (silent, unheard) = json.loads(listed.stdout)
    assert (silent["node"], silent["place"], silent["zone"]) == (NODE, "b1", "maarif")
    assert silent["trouble"][0].startswith("silent for ")
    assert (unheard["node"], unheard["trouble"]) == (OTHER, ["never heard"])
    people = fleet("list").stdout
    assert "never heard" in people
    assert "2 nodes, 2 in trouble; 2 with unknown" in people


def test_a_node_is_replaced_and_its_key_is_on_no_command_line(
    fleet: Fleet, site: Path, tmp_path: Path
) -> None:
    key = tmp_path / "key.txt"
    key.write_text(NEW_KEY + "\n")
    done = fleet("replace", NODE, NEW, "--key-file", str(key), "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["old"], told["new"]) == (NODE, NEW)
    assert "stands in for" in told["said"]
    assert load_registry(site / "registry.toml").key(NEW) == bytes.fromhex(NEW_KEY)
    assert NEW_KEY not in " ".join(
        GatewayShell("pi@kerb", "g.toml").command("registry", "replace", NODE, NEW)
    )


def test_waves_from_the_laptop(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "new.derb").write_bytes(release())
    started = fleet("update", "start", str(tmp_path / "new.derb"), "--waves", "1,all")
    assert started.exit_code == 0, started.stderr
    assert "wave 1 of 2: 2 waiting" in started.stdout
    assert json.loads(fleet("update", "status", "--json").stdout)["version"] == "0.2.3"
    assert json.loads(fleet("update", "pause", "--json").stdout)["state"] == "paused"
    assert fleet("update", "abort").stdout == "campaign 1: aborted\n"


@pytest.mark.parametrize(
    ("words", "more", "kind", "told"),
    [
        (
            ("versions",),
            {"DERB_GATEWAY": "pi@nowhere"},
            GatewayUnreached,
            "no such host; try `ssh pi@nowhere`",
        ),
        (("versions",), {"DERB_GATEWAY_PROGRAM": "derbb"}, GatewayUnreached, "--remote-derb"),
        (("versions", "--config", "none.toml"), {}, AskedWrong, "none.toml: cannot be read"),
        (("list", "--silent", "long"), {}, AskedWrong, "write a time as"),
        (("versions",), {"DERB_GATEWAY": ""}, AskedWrong, "which gateway?"),
        (("replace", NODE, NEW, "--key-file", "none.txt"), {}, AskedWrong, "none.txt: cannot be read"),
    ],
)
def test_a_failure_says_what_to_do(
    fleet: Fleet, words: tuple[str, ...], more: dict[str, str], kind: type[ToolError], told: str
) -> None:
    done = fleet(*words, **more)
    assert type(done.exception) is kind
    assert told in str(done.exception)
    assert done.stdout == ""


def test_misuse_exits_2() -> None:
    done = run_derb("fleet", "versions", "--gateway", "-oProxyCommand=x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "is no host" in done.stderr


def test_a_host_is_never_an_option_of_ssh() -> None:
    with pytest.raises(AskedWrong, match="is no host"):
        GatewayShell("-oProxyCommand=touch x", "gateway.toml")
    *_, line = GatewayShell("pi@kerb", "it's here.toml").command("registry", "show", "Rue d'Alger; rm -rf /")
    assert line == """derb gateway registry show 'Rue d'"'"'Alger; rm -rf /' --config 'it'"'"'s here.toml'"""
