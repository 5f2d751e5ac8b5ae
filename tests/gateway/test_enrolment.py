"""A registration on a stick: only who has the secret reads the key or makes a file, and a changed one is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.cli import app
from derb_gateway.enrolment import make_secret, read_secret, seal, unseal
from derb_gateway.errors import ConfigError
from derb_gateway.registry import load_registry
from gateway.kit import KEY, NODE, OTHER, OTHER_KEY
from typer.testing import CliRunner

SECRET = bytes(range(100, 132))
FIELDS: dict[str, Any] = {
    "node": NODE,
    "kind": "bay",
    "place": "maarif-001",
    "board": None,
    "made_at": "2026-11-28",
}


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    path = tmp_path / "n.enrol"
    path.write_text(seal(SECRET, KEY, **FIELDS))
    return path


def test_what_was_sealed_comes_out_and_the_key_is_not_to_be_seen(sealed: Path) -> None:
    read, key = unseal(sealed, SECRET)
    assert (read.node, read.kind, read.place, key) == (NODE, "bay", "maarif-001", KEY)
    assert KEY.hex() not in sealed.read_text()
    assert seal(SECRET, KEY, **FIELDS) != sealed.read_text(), "no two files have the same pad"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("node", OTHER),
        ("place", "maarif-002"),
        ("kind", "container"),
        ("nonce", "00" * 32),
        ("hidden_key", "00" * 32),
    ],
)
def test_a_changed_file_and_another_secret_are_refused(sealed: Path, name: str, value: str) -> None:
    with pytest.raises(ConfigError, match="seal"):
        unseal(sealed, bytes(32))
    sealed.write_text(json.dumps({**json.loads(sealed.read_text()), name: value}))
    with pytest.raises(ConfigError, match="seal"):
        unseal(sealed, SECRET)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 20_000, b'{"format": "other"}'])
def test_what_is_no_such_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "n.enrol"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"n\.enrol"):
        unseal(path, SECRET)


def test_a_secret_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "enrol.secret"
    make_secret(path)
    assert len(read_secret(path)) == 32
    with pytest.raises(ConfigError, match="never written over"):
        make_secret(path)
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_secret(path)
    path.chmod(0o600)
    path.write_text("short")
    with pytest.raises(ConfigError, match="hex digits"):
        read_secret(path)


def test_all_files_are_registered_or_none(tmp_path: Path, sealed: Path) -> None:
    (tmp_path / "enrol.secret").write_text(SECRET.hex())
    (tmp_path / "enrol.secret").chmod(0o600)
    bays = "".join(f'[[bay]]\nid = "maarif-00{i}"\nzone = "maarif"\nlat = 33.5\nlon = -7.6\n' for i in (1, 2))
    (tmp_path / "registry.toml").write_text(bays)
    (tmp_path / "registry.toml").chmod(0o600)
    config = tmp_path / "gateway.toml"
    config.write_text('site = "casa"\nregistry = "registry.toml"\n')
    second = tmp_path / "o.enrol"
    second.write_text(seal(bytes(32), OTHER_KEY, **{**FIELDS, "node": OTHER, "place": "maarif-002"}))
    words = ["registry", "enrol", str(sealed), str(second), "--secret", str(tmp_path / "enrol.secret")]
    refused = CliRunner().invoke(app, [*words, "--config", str(config)])
    assert refused.exit_code == 2
    assert not load_registry(tmp_path / "registry.toml").keys
    second.write_text(seal(SECRET, OTHER_KEY, **{**FIELDS, "node": OTHER, "place": "maarif-002"}))
    assert CliRunner().invoke(app, [*words, "--config", str(config)]).exit_code == 0
    assert load_registry(tmp_path / "registry.toml").keys == {NODE: KEY, OTHER: OTHER_KEY}
