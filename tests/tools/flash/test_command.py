"""`derb flash` without a board: what is asked wrongly is said, an image for later is built, secrets are for the owner only."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from derb_tools.cli import build_app
from derb_tools.errors import NoBoard, ToolError
from derb_tools.flash import command
from derb_tools.thirdparty import image_file
from typer.testing import CliRunner

from tests.tools.flash.images import real_image
from tests.tools.flash.nvs_reader import read_nvs_partition

NODE = "240ac4a1b2c3"
KEY = "01" * 32


@pytest.fixture
def street(tmp_path: Path) -> Path:
    (tmp_path / "registry.toml").write_text(
        f'[[bay]]\nid = "b-1"\nzone = "z"\nlat = 33.5\nlon = -7.6\n[[node]]\nid = "{NODE}"\nkey = "{KEY}"\nbay = "b-1"\n'
    )
    (tmp_path / "street.toml").write_text('ssid = "derb"\npsk = "derb-street"\nbroker = "10.0.0.2"\n')
    for file in tmp_path.iterdir():
        file.chmod(0o600)
    return tmp_path


def flash(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, stdout, stderr in one line; in this process, since starting one takes longer than all else."""
    done = CliRunner().invoke(build_app("flash"), ["flash", *map(str, arguments)])
    if isinstance(done.exception, ToolError):
        return 1, done.stdout, str(done.exception)
    return done.exit_code, done.stdout, " ".join(done.stderr.split())


def test_an_image_for_later_is_built_and_is_its_owners_only(street: Path) -> None:
    out = street / "b-1.bin"
    out.write_text("old")  # and anybody's to read
    files = ("--registry", street / "registry.toml", "--settings", street / "street.toml")
    code, said, _ = flash(
        "firebeetle2-esp32-e", *files, "--node", NODE.upper(), "--image", image_file(), "--out", out
    )
    assert code == 0
    assert said.startswith(f"{out}: ")
    assert said.endswith("bytes of content; write it at 0x1000\n")
    assert out.stat().st_mode & 0o777 == 0o600
    entries = read_nvs_partition(out.read_bytes()[0x8000:0xE000])
    assert entries["derb"]["key"] == bytes.fromhex(KEY)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give --registry FILE and --settings FILE, or --bare"),
        (("--bare", "--registry", "registry.toml"), "give --registry FILE and --settings FILE, or --bare"),
        (("--registry", "registry.toml"), "give --settings FILE too"),
        (("lolin-s2", "--bare"), 'did you mean "lolin-s2-mini"'),
        (("--bare", "--out", "x.bin"), "--out needs the name of a BOARD"),
        (("xiao-esp32c3", "--bare", "--node", "12", "--out", "x.bin"), "--node 12: is not 12 hex digits"),
        (("olimex-esp32-poe", "--channel", "14"), "should be less than or equal to 13"),
    ],
)
def test_what_is_asked_wrongly_is_misuse(
    arguments: tuple[str, ...], told: str, street: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(street)
    code, out, said = flash(*arguments)
    assert (code, out) == (2, "")
    assert told.replace(" ", "") in said.replace(" ", "").replace("│", "")


def test_a_wrong_image_file_or_settings_are_refused_in_a_sentence(street: Path) -> None:
    (street / "cut.bin").write_bytes(real_image()[:900_000])
    bare = ("firebeetle2-esp32-e", "--bare", "--out", street / "x.bin", "--image")
    assert "cut.bin: its application is damaged or cut off" in flash(*bare, street / "cut.bin")[2]
    assert "none.bin: cannot be read: No such file" in flash(*bare, street / "none.bin")[2]
    (street / "street.toml").write_text('ssid = "derb"\nempty_mm = 200\n')
    given = ("--settings", street / "street.toml", "--registry", street / "registry.toml", "--node", NODE)
    told = flash("firebeetle2-esp32-e", *given, "--out", street / "x.bin", "--image", street / "none.bin")[2]
    assert "full_mm (250) must be less than empty_mm (200)" in told  # before any image is looked for
    (street / "street.toml").write_text("sid = 5\n")
    code, _, said = flash("--registry", street / "registry.toml", "--settings", street / "street.toml")
    assert code == 1
    assert "street.toml:1: sid: there is no such setting" in said
    assert not (street / "x.bin").exists()


def test_nothing_plugged_in_is_said_with_what_to_do() -> None:
    code, _, said = flash("xiao-esp32c3", "--bare", "--port", "/dev/derb-none", "--image", image_file())
    assert code == 1
    assert "/dev/derb-none: is not there" in said
    assert "plug the board in" in said


def test_in_a_batch_a_board_that_fails_does_not_end_it_and_ctrl_c_sums_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def three_boards(*_: object) -> Iterator[str]:
        yield from ("/dev/a", "/dev/b", "/dev/c")
        raise KeyboardInterrupt

    def one(port: str, *_: object, **_options: object) -> bool:
        if port == "/dev/b":
            raise NoBoard("no board answers at /dev/b")
        return True

    monkeypatch.setattr(command, "boards_in_turn", three_boards)
    monkeypatch.setattr(command, "_one", one)
    code, out, said = flash("xiao-esp32c3", "--bare", "--batch")
    assert (code, out) == (1, "2 flashed, 1 failed\n")
    assert said == "derb: no board answers at /dev/b"
