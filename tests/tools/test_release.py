"""Making releases: compiled, signed so that only this key's nodes take them, and no one-time key ever used twice."""

import hashlib
import json
import stat
import struct
from pathlib import Path

import pytest
from derb_gateway.releases import SIGNATURE_BYTES, read_release
from derb_tools.bytecode import bytecode_of
from derb_tools.errors import ToolError
from derb_tools.firmware_files import firmware_dir
from derb_tools.release import described
from derb_tools.release_build import application, firmware_version, signed_release
from derb_tools.release_key import SIGNATURES, ReleaseKey
from pyhsslms import pyhsslms

from tests.tools.command import run_derb

FILES = {"derb/__init__.mpy": b"M\x06\x1f\x00", "derb/x.mpy": b"M\x06" + bytes(500)}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> ReleaseKey:
    return ReleaseKey.create(tmp_path_factory.mktemp("key") / "release.key")


def leaf(release: bytes) -> int:
    """The number of the one-time key that signed."""
    end = 2 + struct.unpack_from("<H", release)[0]
    return int(struct.unpack_from(">I", release, end)[0])


def good(public: bytes, release: bytes) -> bool:
    """By the library, not by the node's code."""
    end = 2 + struct.unpack_from("<H", release)[0]
    loaded = pyhsslms.LmsPublicKey.deserialize(public)
    return bool(loaded.verify(release[2:end], release[end : end + SIGNATURE_BYTES]))


def test_a_release_is_signed_and_whole(key: ReleaseKey, tmp_path: Path) -> None:
    raw = signed_release(key, 203, 6, "*", FILES)
    (tmp_path / "x.derb").write_bytes(raw)
    release = read_release(tmp_path / "x.derb")
    assert (release.version, release.board, release.bytecode) == (203, "*", 6)
    assert [(file.name, file.size) for file in release.files] == [(name, len(f)) for name, f in FILES.items()]
    assert good(key.public, raw)
    assert not good(key.public, raw[:12] + bytes([raw[12] ^ 1]) + raw[13:])
    assert "any board" in described(release)


def test_no_one_time_key_signs_twice_even_from_two_processes(key: ReleaseKey) -> None:
    path = key._path
    other = ReleaseKey.load(path)
    assert other.public == key.public
    leaves = [leaf(signed_release(each, 203, 6, "*", FILES)) for each in (key, other, key, other, other)]
    assert leaves == list(range(leaves[0], leaves[0] + 5))
    assert ReleaseKey.load(path).left == SIGNATURES - leaves[-1] - 1


def test_the_file_says_used_before_there_is_a_signature(
    key: ReleaseKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = key._path
    before = int.from_bytes(path.read_bytes()[-4:], "big")

    def crash(self: object, message: bytes) -> bytes:
        assert int.from_bytes(path.read_bytes()[-4:], "big") == before + 1
        raise KeyboardInterrupt

    monkeypatch.setattr(pyhsslms.LmsPrivateKey, "sign", crash)
    with pytest.raises(KeyboardInterrupt):
        key.sign(b"x")
    monkeypatch.undo()
    assert leaf(signed_release(key, 203, 6, "*", FILES)) == before + 1


def test_a_key_that_signed_all_it_can_says_so(tmp_path: Path, key: ReleaseKey) -> None:
    path = tmp_path / "worn.key"
    path.write_bytes(key._path.read_bytes()[:-4] + SIGNATURES.to_bytes(4, "big"))
    worn = ReleaseKey(path, key._key)
    keep = worn._key.q
    with pytest.raises(ToolError, match="make a new key"):
        worn.sign(b"x")
    key._key.q = keep


def test_a_key_is_for_its_owner_only_and_never_written_over(key: ReleaseKey) -> None:
    assert stat.S_IMODE(key._path.stat().st_mode) == 0o600
    with pytest.raises(ToolError, match="exists"):
        ReleaseKey.create(key._path)


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"derb release key 1\n", b"derb release key 1\n" + bytes(60), b"x" * 79):
        (tmp_path / "no.key").write_bytes(content)
        with pytest.raises(ToolError, match="is not a release key"):
            ReleaseKey.load(tmp_path / "no.key")


def test_the_whole_firmware_compiles_and_only_the_application_is_in_it() -> None:
    files = dict(application(firmware_dir()))
    assert "derb/node.mpy" in files
    assert "derb/links/mqtt.mpy" in files
    assert not {name for name in files if not name.startswith("derb/")}
    assert bytecode_of(files.values()) == 6
    again = dict(application(firmware_dir()))
    assert (
        hashlib.sha256(b"".join(files.values())).digest() == hashlib.sha256(b"".join(again.values())).digest()
    )


def test_a_firmware_that_does_not_compile_or_has_no_version_is_told(tmp_path: Path) -> None:
    (tmp_path / "derb").mkdir()
    (tmp_path / "derb" / "__init__.py").write_text("def broken(:\n")
    with pytest.raises(ToolError, match="does not compile"):
        list(application(tmp_path))
    (tmp_path / "derb" / "__init__.py").write_text("VERSIONS = 5\n")
    with pytest.raises(ToolError, match="VERSION"):
        firmware_version(tmp_path)
    with pytest.raises(ToolError, match="bytecode"):
        bytecode_of([b"M\x06", b"M\x05"])


def test_the_commands_from_a_key_to_a_release(tmp_path: Path) -> None:
    made = run_derb("release", "key", tmp_path / "k")
    assert made.returncode == 0, made.stderr
    assert len(bytes.fromhex(made.stdout)) == 56
    assert run_derb("release", "key", tmp_path / "k").returncode == 1
    built = run_derb("release", "build", tmp_path / "r.derb", "--key", tmp_path / "k", "--any-board")
    assert built.returncode == 0, built.stderr
    assert made.stdout.strip() in built.stdout
    again = ("release", "build", tmp_path / "again.derb", "--key", tmp_path / "k", "--any-board", "--json")
    told = json.loads(run_derb(*again).stdout)
    assert told["public"] == made.stdout.strip()
    assert f"can sign {told['left'] + 1} more" in built.stdout
    shown = run_derb("release", "show", tmp_path / "r.derb")
    assert shown.returncode == 0
    assert shown.stdout.splitlines()[0] in built.stdout
    figures = json.loads(run_derb("release", "show", tmp_path / "r.derb", "--json").stdout)
    assert f"{figures['files']} files, {figures['bytes']} bytes" in shown.stdout
    assert figures["board"] is None
    (tmp_path / "r.derb").write_bytes((tmp_path / "r.derb").read_bytes()[:-1])
    damaged = run_derb("release", "show", tmp_path / "r.derb")
    assert (damaged.returncode, "damaged" in damaged.stderr) == (1, True)


@pytest.mark.parametrize("words", [(), ("--any-board", "--board", "xiao-esp32c3"), ("--board", "nosuch")])
def test_for_which_board_must_be_said(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = run_derb("release", "build", tmp_path / "r.derb", "--key", tmp_path / "k", *words)
    assert result.returncode == 2
