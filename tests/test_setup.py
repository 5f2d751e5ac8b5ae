"""The set-up: asks for nothing it can do itself, names in one line what it may not install."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import setup
import system

ROOT = Path(__file__).parents[1]


def sh(name: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(ROOT / "tools" / "setup" / name), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def fake_python(folder: Path, name: str, exit_code: int) -> None:
    """A program that answers the question for its version, and echoes when it is run for real."""
    script = folder / name
    script.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit {exit_code}\necho "{name} $2 $3"\n')
    script.chmod(0o755)


def tools_only(tmp_path: Path) -> str:
    """A PATH on which there is `dirname` and no Python."""
    (tmp_path / "dirname").symlink_to("/usr/bin/dirname")
    return str(tmp_path)


def test_a_machine_without_python_is_told_in_one_sentence(tmp_path: Path) -> None:
    finished = sh("setup.sh", "test", PATH=tools_only(tmp_path))
    assert finished.returncode == 1
    assert finished.stderr.startswith("derb: needs Python 3.11 or newer")
    assert finished.stderr.count("\n") == 1


def test_an_old_python3_is_passed_over_for_a_newer_one(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", 1)
    fake_python(tmp_path, "python3.12", 0)
    finished = sh("setup.sh", "test", PATH=tools_only(tmp_path))
    assert finished.stdout.startswith("python3.12 ")
    assert finished.stdout.rstrip().endswith("test")


def test_a_chosen_python_that_is_too_old_is_an_error(tmp_path: Path) -> None:
    fake_python(tmp_path, "old", 1)
    finished = sh("setup.sh", "test", PATH=tools_only(tmp_path), PYTHON=str(tmp_path / "old"))
    assert finished.returncode == 1
    assert "is not a Python 3.11 or newer" in finished.stderr


def test_a_second_set_up_does_and_says_nothing() -> None:
    command = [sys.executable, str(ROOT / "tools" / "setup" / "setup.py"), "test"]
    finished = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


def test_an_unknown_target_is_misuse() -> None:
    assert setup.main(["nonsense"]) == 2


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without Mosquitto and without ensurepip."""
    monkeypatch.setattr(system, "find_program", lambda _name: None)
    monkeypatch.setattr(system, "has_venv", lambda: False)


@pytest.mark.usefixtures("bare")
def test_what_apt_may_not_install_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "apt_prefix", lambda: None)
    with pytest.raises(system.SystemPartMissing) as missing:
        system.provide(["mosquitto"], needs_venv=True, target="test")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    both = f"mosquitto python{version}-venv"
    assert str(missing.value) == f"`make test` needs {both}: sudo apt install {both}"


@pytest.mark.usefixtures("bare")
def test_what_apt_may_install_is_installed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []

    def install(packages: list[str], _prefix: list[str]) -> None:
        installed.extend(packages)
        monkeypatch.setattr(system, "find_program", lambda name: f"/usr/sbin/{name}")

    monkeypatch.setattr(system, "apt_prefix", list)
    monkeypatch.setattr(system, "install", install)
    system.provide(["mosquitto"], needs_venv=False, target="test")
    assert installed == ["mosquitto"]


@pytest.mark.usefixtures("bare")
def test_the_demo_needs_nothing_from_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "apt_prefix", lambda: None)
    system.provide(setup.SYSTEM_PARTS_OF_TARGET["demo"], needs_venv=False, target="demo")


def test_the_tests_of_firmware_and_tools_need_nothing_from_apt_and_the_others_do() -> None:
    assert setup.system_parts("test", ["tests/firmware/test_outbox.py", "tests/tools"]) == []
    both = ["mosquitto", "nats-server"]
    assert setup.system_parts("test", ["tests/tools", "tests/gateway"]) == both
    assert setup.system_parts("test", []) == both


def test_a_step_is_repeated_only_when_what_it_was_made_from_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "STAMPS", tmp_path)
    done: list[str] = []
    for made_from in ("1", "1", "2"):
        setup.step_once("a part", made_from, lambda made_from=made_from: done.append(made_from))
    assert done == ["1", "2"]


def test_a_step_that_failed_leaves_no_stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "STAMPS", tmp_path)
    with pytest.raises(setup.SetupError):
        setup.step_once("a part", "1", lambda: setup.run(["false"], what="this"))
    assert list(tmp_path.iterdir()) == []


def test_only_what_decides_the_packages_makes_them_be_installed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = setup.packages_made_from()
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    (tmp_path / "pyproject.toml").write_text(text.replace("line-length = 110", "line-length = 90"))
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    here = setup.packages_made_from()
    (tmp_path / "pyproject.toml").write_text(text.replace("rich>=", "rich>"))
    assert len({before, here, setup.packages_made_from()}) == 3
    (tmp_path / "pyproject.toml").write_text(text)
    assert setup.packages_made_from() == here


@pytest.mark.parametrize(
    ("target", "wanted"), [("test", True), ("bench", True), ("check", False), ("demo", False)]
)
def test_the_32_bit_micropython_is_there_for_all_that_measure_or_test_in_it(
    monkeypatch: pytest.MonkeyPatch, target: str, wanted: bool
) -> None:
    done: list[str] = []
    monkeypatch.setattr(system, "provide", lambda *names, **more: None)
    monkeypatch.setattr(setup, "packages_are_current", lambda extra: True)
    for name in ("venv_works", "has_umqtt"):
        monkeypatch.setattr(setup, name, lambda: True)
    monkeypatch.setattr(setup, "has_image", lambda: False)
    monkeypatch.setattr(setup, "check_micropython", lambda: None)
    monkeypatch.setattr(setup, "fetch_image", lambda: done.append("image"))
    monkeypatch.setattr(setup, "set_up_wasm32", lambda: done.append("32-bit"))
    setup.set_up(target)
    assert done == (["image", "32-bit"] if wanted else [])
