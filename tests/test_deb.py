"""The Debian package holds all that a gateway needs but Python and Mosquitto, and runs from where it was unpacked."""

import importlib.metadata
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import deb
import pytest
from gateway.test_cli import write
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def gateway_packages() -> Iterator[importlib.metadata.Distribution]:
    """What derb[gateway] needs, and what that needs, as installed here."""
    left, seen = [Requirement("derb[gateway]")], set()
    while left:
        wanted = left.pop()
        if (wanted.name, *wanted.extras) in seen:
            continue
        seen.add((wanted.name, *wanted.extras))
        found = importlib.metadata.distribution(wanted.name)
        if wanted.name != "derb":
            yield found
        for text in found.requires or ():
            needed = Requirement(text)
            if needed.marker is None or any(
                needed.marker.evaluate({"extra": e}) for e in ("", *wanted.extras)
            ):
                left.append(needed)


def copy_packages(lib: Path) -> None:
    """As `pip install --target` would, but from what is installed here: no network."""
    site = Path(sysconfig.get_path("purelib"))
    for found in gateway_packages():
        for file in found.files or ():
            source = Path(str(found.locate_file(file))).resolve()
            if source.is_relative_to(site) and source.suffix != ".pyc":
                target = lib / source.relative_to(site)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
    for package in ("gateway/derb_gateway", "tools/derb_tools"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, lib / Path(package).name, ignore=ignore)
    shutil.copytree(ROOT / "gateway/deploy", lib / "derb_gateway/deploy")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return deb.build(tmp_path_factory.mktemp("dist"), "arm64", version, copy_packages, compression="none")


@pytest.fixture(scope="module")
def unpacked(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    return root


def derb(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the package's program with a Python that has no packages of its own."""
    python = getattr(sys, "_base_executable", sys.executable)
    command = [python, "-I", "-S", root / "opt/derb/bin/derb", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_its_gateway_checks_a_configuration_with_no_package_from_outside(
    unpacked: Path, tmp_path: Path
) -> None:
    checked = derb(unpacked, "gateway", "check", "--config", write(tmp_path, "manage = true\n"))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "broker: mosquitto will be started by the gateway" in checked.stdout


def test_it_installs_itself_as_a_service_and_takes_it_back(unpacked: Path, tmp_path: Path) -> None:
    words = ("--root", str(tmp_path), "--site", "s", "--command", "/opt/derb/bin/derb")
    assert derb(unpacked, "gateway", "install", *words).returncode == 0
    assert (
        "/opt/derb/bin/derb gateway run" in (tmp_path / "etc/systemd/system/derb-gateway.service").read_text()
    )
    assert derb(unpacked, "gateway", "uninstall", "--root", str(tmp_path)).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_debian_is_told_what_it_needs(package: Path) -> None:
    shown = subprocess.run(["dpkg-deb", "-f", package], capture_output=True, text=True, check=True).stdout
    fields = dict(line.split(": ", 1) for line in shown.splitlines() if ": " in line)
    assert (fields["Package"], fields["Version"], fields["Architecture"]) == ("derb", deb.version(), "arm64")
    low, high = f"3.{sys.version_info.minor}", f"3.{sys.version_info.minor + 1}"
    assert f"python3 (>= {low}), python3 (<< {high}), mosquitto" in fields["Depends"]


def test_its_scripts_are_good_ones(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "-e", package, tmp_path / "control"], check=True)
    for name in ("prerm", "postinst"):
        script = tmp_path / "control" / name
        assert script.stat().st_mode & 0o777 == 0o755
        subprocess.run(["sh", "-n", script], check=True)


def test_it_takes_no_name_that_debian_has(package: Path) -> None:
    """icu-devtools has a /usr/bin/derb; dpkg would refuse a second one."""
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True).stdout
    assert not [line for line in listed.splitlines() if "./usr/bin/" in line]


def test_only_root_may_write_what_it_brings(unpacked: Path, package: Path) -> None:
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        mode, owner = line.split()[:2]
        assert owner == "root/root"
        assert mode[5] == mode[8] == "-", line
    assert (unpacked / "opt/derb/bin/derb").stat().st_mode & 0o777 == 0o755
    assert (unpacked / "usr/share/derb/prometheus-rules.yml").is_file()


def test_without_debian_s_tools_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(deb.DebError, match="no dpkg-deb here"):
        deb.build(ROOT / "dist", "arm64", "3.11", copy_packages)
    monkeypatch.setattr("deb.install_wheels", lambda *_: None)
    assert deb.main(["--arch", "arm64", "--python-version", "3.11"]) == 1
