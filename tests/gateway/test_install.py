"""`derb gateway install` changes what it says and no more; `uninstall` leaves a machine as it was, byte for byte."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from derb_gateway import install_cli
from derb_gateway.cli import app
from derb_gateway.config import load_config
from derb_gateway.errors import StopError
from derb_gateway.install_changes import Change, File, Folder, Link, under
from derb_gateway.install_manifest import MANIFEST, Manifest
from derb_gateway.install_plan import CONFIG, REGISTRY, UNIT, own_command, plan
from typer.testing import CliRunner, Result

runner = CliRunner()
COMMAND = "/opt/derb/bin/derb"
WANTS = "etc/systemd/system/multi-user.target.wants"


def tree(root: Path) -> dict[str, tuple[int, object]]:
    """Everything below a folder: its mode, and its content, or where it points to."""
    found: dict[str, tuple[int, object]] = {}
    for path in sorted(root.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        is_link = path.is_symlink()
        content = path.readlink() if is_link else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(root))] = (0 if is_link else mode, content)
    return found


def derb(*words: str) -> Result:
    return runner.invoke(app, list(words))


def install(root: Path, *more: str) -> Result:
    return derb("install", "--site", "casablanca-maarif", "--root", str(root), "--command", COMMAND, *more)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A Debian with its own Mosquitto service, and a unit of ours that somebody wrote by hand."""
    root = tmp_path / "machine"
    wants = root / WANTS
    wants.mkdir(parents=True)
    (wants / "mosquitto.service").symlink_to("/lib/systemd/system/mosquitto.service")
    (root / f"etc/systemd/system/{UNIT}").write_text("[Service]\nExecStart=/bin/true\n")
    (root / f"etc/systemd/system/{UNIT}").chmod(0o640)
    return root


@pytest.fixture(params=["a machine", "an empty folder"])
def root(request: pytest.FixtureRequest, machine: Path, tmp_path: Path) -> Path:
    if request.param == "a machine":
        return machine
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


def test_what_was_installed_is_taken_back_exactly(root: Path) -> None:
    before = tree(root)
    assert install(root).exit_code == 0
    installed = tree(root)
    assert installed != before
    assert derb("uninstall", "--root", str(root)).exit_code == 0
    assert tree(root) == before


def test_the_service_starts_at_boot_and_debian_s_own_broker_does_not(machine: Path) -> None:
    assert install(machine).exit_code == 0
    unit = (machine / f"etc/systemd/system/{UNIT}").read_text()
    assert f"ExecStart={COMMAND} gateway run --config {CONFIG}\n" in unit
    assert str((machine / WANTS / UNIT).readlink()) == f"/etc/systemd/system/{UNIT}"
    assert not (machine / WANTS / "mosquitto.service").is_symlink()


def test_the_configuration_is_a_good_one_and_nobody_else_may_read_it(root: Path) -> None:
    install(root)
    config = load_config(under(root, CONFIG))
    assert config.site == "casablanca-maarif"
    assert config.broker.manage
    assert config.broker.psk_port == 8883
    assert config.registry == Path(REGISTRY)
    for path in (CONFIG, REGISTRY, MANIFEST):
        assert stat.S_IMODE(under(root, path).stat().st_mode) == 0o600


def test_a_dry_run_shows_all_of_it_and_does_nothing(root: Path) -> None:
    before = tree(root)
    shown = install(root, "--dry-run")
    assert shown.exit_code == 0
    assert tree(root) == before
    for word in (
        UNIT,
        "WatchdogSec=",
        "psk_port = 8883",
        "max_inflight_messages 500",
        "user derb",
        "psk_file",
    ):
        assert word in shown.stdout
    install(root)
    installed = tree(root)
    assert UNIT in derb("uninstall", "--root", str(root), "--dry-run").stdout
    assert tree(root) == installed


def test_what_somebody_changed_or_had_before_stays(machine: Path) -> None:
    registry = under(machine, REGISTRY)
    registry.parent.mkdir()
    registry.write_text("# mine\n")
    install(machine)
    config = under(machine, CONFIG)
    config.write_text(config.read_text() + "# changed\n")
    told = derb("uninstall", "--root", str(machine)).stdout
    assert f"stays: {CONFIG} was changed since" in told
    assert config.read_text().endswith("# changed\n")
    assert registry.read_text() == "# mine\n"
    assert install(machine).exit_code == 0, "it can be installed again, with the configuration that is there"
    assert config.read_text().endswith("# changed\n")


def test_purge_takes_the_changed_and_the_readings_too(root: Path) -> None:
    before = tree(root)
    install(root)
    under(root, CONFIG).write_text("changed")
    state = under(root, "/var/lib/derb")
    state.mkdir(parents=True)
    (state / "derb.sqlite3").write_text("readings")
    assert "holds readings" in derb("uninstall", "--root", str(root)).stdout
    install(root)
    derb("uninstall", "--root", str(root), "--purge")
    assert not state.exists()
    left = set(tree(root)) - set(before) - {"var", "var/lib", "etc", "etc/derb", "etc/derb/gateway.toml"}
    assert left == set()


class PowerCut(BaseException):
    """Nothing that the program could catch and tidy up after."""


def test_cut_off_anywhere_it_can_be_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    left = [0]

    def until_cut(do: Callable[[Change, Path], None]) -> Callable[[Change, Path], None]:
        def cut(change: Change, root: Path) -> None:
            if not left[0]:
                raise PowerCut
            left[0] -= 1
            do(change, root)

        return cut

    for kind in (Folder, File, Link):
        monkeypatch.setattr(kind, "do", until_cut(kind.do))
    for done in range(len(plan(tmp_path, "s", COMMAND).changes)):
        root = tmp_path / str(done)
        root.mkdir()
        left[0] = done
        with pytest.raises(PowerCut):
            plan(root, "s", COMMAND).do(root)
        found = Manifest.load(root)
        if found is not None:
            assert found.undo(root, force=False) == []
        assert set(tree(root)) <= {"etc", "etc/derb"}, done
        assert found is None or tree(root) == {}, done


def test_an_installation_that_fails_says_how_to_take_it_back(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("derb_gateway.install_changes.Link.do", full)
    failed = install(root)
    assert failed.exit_code == 1
    assert "No space left" in failed.stderr
    assert "uninstall` takes back" in failed.stderr


def test_twice_and_never_are_said(root: Path) -> None:
    nothing = derb("uninstall", "--root", str(root))
    assert (nothing.exit_code, "nothing is installed here" in nothing.stderr) == (1, True)
    install(root)
    again = install(root)
    assert (again.exit_code, "installed already" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}}",
        "\x00",
        '{"changes": [{"kind": "file", "path": "/a/../../b"}]}',
        '{"changes": [{"kind": "x"}]}',
    ],
)
def test_a_manifest_that_is_none_undoes_nothing(root: Path, text: str) -> None:
    install(root)
    under(root, MANIFEST).write_text(text)
    before = tree(root)
    result = derb("uninstall", "--root", str(root))
    assert (result.exit_code, "is not what `derb gateway install` wrote" in result.stderr) == (1, True)
    assert tree(root) == before


def test_a_derb_in_a_home_is_refused_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(StopError, match="PIPX_HOME=/opt/pipx"):
        plan(tmp_path, "s", "/home/" + "somebody/.local/bin/derb")


def test_a_site_that_would_break_the_file_is_misuse(tmp_path: Path) -> None:
    result = derb("install", "--site", 'a"\nmanage = 1', "--root", str(tmp_path), "--command", COMMAND)
    assert (result.exit_code, "--site: letters" in result.stderr) == (2, True)
    assert tree(tmp_path) == {}


def test_the_manifest_holds_no_key(root: Path) -> None:
    install(root)
    kinds = {change["kind"] for change in json.loads(under(root, MANIFEST).read_text())["changes"]}
    assert {"file", "folder", "link"} <= kinds
    assert "text" not in under(root, MANIFEST).read_text()


def test_the_service_runs_the_derb_that_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = tmp_path / "opt" / "derb"
    real.parent.mkdir()
    real.touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "derb").symlink_to(real)
    monkeypatch.setattr("sys.argv", [str(tmp_path / "bin" / "derb"), "gateway", "install"])
    assert own_command() == str(real)
    monkeypatch.setattr("sys.argv", ["/somewhere/__main__.py"])
    monkeypatch.setattr("sys.prefix", sys.base_prefix)
    with pytest.raises(StopError, match="give --command"):
        own_command()


def test_where_no_systemd_runs_the_rest_is_done_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        assert not check
        ran.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr("subprocess.run", run)
    commands = [["systemd-sysusers"], ["systemctl", "stop", UNIT], ["userdel", "derb"]]
    monkeypatch.setattr(install_cli, "_BOOTED", tmp_path / "nowhere")
    install_cli._run_all(commands)
    assert ran == [["systemd-sysusers"], ["userdel", "derb"]]
    assert "systemd does not run here" in capsys.readouterr().err
    ran.clear()
    monkeypatch.setattr(install_cli, "_BOOTED", tmp_path)
    install_cli._run_all(commands)
    assert ran == commands
