"""Provisioning at a cable: node and gateway have the same key, nobody saw it, and after any failure it begins anew."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from campaign import size
from derb_gateway.registry import load_registry
from derb_tools.board import SimBoard
from derb_tools.provision import provision
from derb_tools.registration import KINDS
from gateway.kit import DEADLINE_S
from tools.board.tiny import NODE_ID
from tools.command import run_derb
from tools.desk import SETTINGS, Desk, at_desk, bay_board

NODE = NODE_ID.hex()


def site(folder: Path) -> Path:
    """A gateway with two bays, a container, and one node."""
    places = [
        ("bay", "maarif-001", 33.5866),
        ("bay", "maarif-002", 33.5867),
        ("container", "bin-anfa-7", 33.6),
    ]
    text = "".join(
        f'[[{kind}]]\nid = "{name}"\nzone = "maarif"\nlat = {lat}\nlon = -7.6\n'
        + ("empty_mm = 1710\nfull_mm = 260\n" if kind == "container" else "")
        for kind, name, lat in places
    )
    text += f'[[node]]\nid = "7cdfa1000001"\nkey = "{"ab" * 32}"\nbay = "maarif-002"\n'
    (folder / "registry.toml").write_text(text)
    (folder / "registry.toml").chmod(0o600)
    config = folder / "gateway.toml"
    config.write_text('site = "casa"\nregistry = "registry.toml"\n')
    return config


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return site(tmp_path)


@pytest.fixture
def blank(tmp_path: Path) -> SimBoard:
    """A board with firmware and Wi-Fi, and no key."""
    return bay_board(tmp_path, key=b"", config=SETTINGS)


def provisioned(desk: Desk, *words: str | Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    return desk.derb("provision", *words, typed=typed)


def settings_of(board: SimBoard) -> dict[str, Any]:
    cfg = board.nvs()["derb"]["cfg"]
    assert isinstance(cfg, bytes)
    return dict(json.loads(cfg))


def test_over_the_network_both_have_the_key_and_nobody_saw_it(
    config: Path, blank: SimBoard, tmp_path: Path
) -> None:
    here = ("--gateway", "here", "--config", config)
    with at_desk(blank, tmp_path) as desk:
        done = provisioned(desk, "--place", "anfa 7", *here, "--json", "--label", tmp_path / "label.png")
        assert done.returncode == 0, done.stderr
        again = provisioned(desk, "--place", "maarif-001", *here)
        taken = provisioned(desk, "--place", "maarif-002", *here)
    told = json.loads(done.stdout)
    assert told == {
        "node": NODE, "place": "bin-anfa-7", "kind": "container", "registered": True,
        "file": None, "label": str(tmp_path / "label.png"),
    }  # fmt: skip
    registry = load_registry(config.parent / "registry.toml")
    key = registry.keys[NODE]
    assert blank.nvs()["derb"]["key"] == key
    assert registry.containers[NODE].id == "bin-anfa-7"
    assert key.hex() not in done.stdout + done.stderr
    assert settings_of(blank) == {**SETTINGS, "kind": "level", "empty_mm": 1710, "full_mm": 260}
    assert (tmp_path / "label.png").read_bytes().startswith(b"\x89PNG")
    assert (again.returncode, "registered already" in again.stderr) == (2, True)
    assert (taken.returncode, "fleet replace" in taken.stderr) == (2, True)


def test_out_of_reach_of_the_gateway_it_goes_on_a_stick(
    config: Path, blank: SimBoard, tmp_path: Path
) -> None:
    listed = run_derb("gateway", "registry", "list", "--json", "--config", config)
    (tmp_path / "places.json").write_text(listed.stdout)
    assert run_derb("gateway", "registry", "new-secret", tmp_path / "s").returncode == 0
    stick = ("--to", tmp_path / "n.enrol", "--places", tmp_path / "places.json", "--secret", tmp_path / "s")
    with at_desk(blank, tmp_path) as desk:
        done = provisioned(desk, *stick, typed="33.5866,-7.6\n1\n")
        assert done.returncode == 0, done.stderr
        assert "registry enrol" in done.stdout
        assert provisioned(desk, *stick).returncode == 2
    key = blank.nvs()["derb"]["key"]
    assert isinstance(key, bytes)
    assert key.hex() not in (tmp_path / "n.enrol").read_text() + done.stdout + done.stderr
    enrolled = run_derb(
        "gateway", "registry", "enrol", tmp_path / "n.enrol", "--secret", tmp_path / "s", "--config", config
    )
    assert enrolled.returncode == 0, enrolled.stderr
    registry = load_registry(config.parent / "registry.toml")
    assert registry.keys[NODE] == key
    assert registry.bays[NODE].id == "maarif-001"


def test_interrupted_at_random_bytes_it_can_be_run_again(
    config: Path, blank: SimBoard, tmp_path: Path
) -> None:
    chance = random.Random(3)
    words = ("--place", "maarif-001", "--gateway", "here", "--config", config)
    with at_desk(blank, tmp_path) as desk:
        for _ in range(size(12, 2)):
            end_at = desk.cable.counts["to_board"] + chance.randrange(1000, 4500)
            with desk.running("provision", *words) as process:
                while process.poll() is None and desk.cable.counts["to_board"] < end_at:
                    time.sleep(0.002)
                process.send_signal(chance.choice([signal.SIGINT, signal.SIGKILL]))
                process.wait(DEADLINE_S)
            assert set(settings_of(blank)) == {*SETTINGS}
            key = blank.nvs()["derb"]["key"]
            assert isinstance(key, bytes)
            assert len(key) in (0, 32)
        done = provisioned(desk, *words)
        registered = load_registry(config.parent / "registry.toml").keys.get(NODE)
        assert done.returncode == 0 or "registered already" in done.stderr, done.stderr
    assert registered is not None
    assert registered == blank.nvs()["derb"]["key"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "which gateway"),
        (("--to", "x.enrol"), "--places"),
        (("--gateway", "here", "--place", "maarif-001", "--settings", "none.toml"), "none.toml"),
        (("--to", "x.enrol", "--places", "none.json", "--secret", "none"), "none"),
    ],
)
def test_misuse_says_what_is_missing(words: tuple[str, ...], told: str) -> None:
    done = run_derb("provision", *words)
    assert done.returncode in (1, 2)
    assert told in done.stderr
    assert provision.__doc__
    assert set(KINDS) == {"bay", "container"}
