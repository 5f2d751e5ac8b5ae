"""Builds dist/derb_<version>_<arch>.deb: the gateway with all its Python packages inside, so that it needs no internet.

The packages are wheels for the processor and the Python of the target, unpacked into /opt/derb/lib, where dpkg knows every
file; nothing is compiled and nothing is built there. Not in /usr/bin: Debian's icu-devtools has a program of the same name
there. So a laptop builds the package for a Raspberry Pi:

    make deb ARCH=arm64 PYTHON_VERSION=3.11
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}
_GLIBC = ("manylinux2014", "manylinux_2_17", "manylinux_2_28", "manylinux_2_34")
_LIB = Path("opt/derb/lib")

LAUNCHER = """#!/usr/bin/python3 -I
# The packages beside this program, before any of the system's.
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from derb_tools.cli import main

main()
"""

PRERM = """#!/bin/sh
set -e
if [ "$1" = remove ] && [ -f /etc/derb/install.json ]; then
    /opt/derb/bin/derb gateway uninstall || true
fi
if [ "$1" = remove ] && [ "$(readlink /usr/local/bin/derb)" = /opt/derb/bin/derb ]; then
    rm -f /usr/local/bin/derb
fi
find /opt/derb -name __pycache__ -prune -exec rm -rf {} +
"""

POSTINST = """#!/bin/sh
set -e
if [ "$1" = configure ]; then
    python3 -m compileall -q /opt/derb/lib || true   # else each start would compile, and keep nothing of it
    [ -e /usr/local/bin/derb ] || ln -s /opt/derb/bin/derb /usr/local/bin/derb
    if [ -f /etc/derb/install.json ] && [ -d /run/systemd/system ]; then
        systemctl try-restart derb-gateway.service || true
    else
        echo 'next: sudo derb gateway install --site NAME'
    fi
fi
"""


class DebError(Exception):
    """The package was not built; the message says why and what to do."""


def main(arguments: list[str]) -> int:
    """Build for the machine on the command line; the exit code is 0 or 1."""
    parser = argparse.ArgumentParser(description="Build the gateway's Debian package.")
    parser.add_argument("--arch", choices=sorted(PLATFORMS), default=None, help="default: this machine's")
    parser.add_argument(
        "--python-version", default="3.11", help="the target's: 3.11 on Debian 12, 3.13 on 13"
    )
    chosen = parser.parse_args(arguments)
    try:
        arch = chosen.arch or _own_arch()
        built = build(
            ROOT / "dist",
            arch,
            chosen.python_version,
            lambda lib: install_wheels(lib, arch, chosen.python_version),
        )
    except DebError as error:
        print(f"derb: {error}", file=sys.stderr)
        return 1
    print(f"{built.relative_to(ROOT)}  {built.stat().st_size / 1e6:.1f} MB")
    return 0


def build(
    dist: Path, arch: str, python_version: str, fill: Callable[[Path], None], *, compression: str = "xz"
) -> Path:
    """Return the package, built in `dist`; `fill` puts the Python packages into a folder. DebError."""
    if shutil.which("dpkg-deb") is None:
        raise DebError("there is no dpkg-deb here: build on Debian, or in a container of it")
    dist.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "derb"
        fill(tree / _LIB)
        _lay_out(tree)
        size_kb = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file()) // 1024
        _write(tree / "DEBIAN/control", control(arch, python_version, size_kb))
        _write(tree / "DEBIAN/prerm", PRERM, 0o755)
        _write(tree / "DEBIAN/postinst", POSTINST, 0o755)
        target = dist / f"derb_{version()}_{arch}.deb"
        command = ["dpkg-deb", "--root-owner-group", f"-Z{compression}", "--build", str(tree), str(target)]
        _run(command, "dpkg-deb")
    return target


def install_wheels(lib: Path, arch: str, python_version: str) -> None:
    """Put derb and what its gateway needs into a folder, as wheels of another machine if need be. DebError."""
    with tempfile.TemporaryDirectory() as wheels:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "wheel", "--no-deps", "--wheel-dir", wheels, str(ROOT)], "building derb's own wheel")
        (own,) = Path(wheels).glob("derb-*.whl")
        platforms = [f"--platform={glibc}_{PLATFORMS[arch]}" for glibc in _GLIBC]
        target = [
            "--target",
            str(lib),
            "--only-binary=:all:",
            "--no-compile",
            f"--python-version={python_version}",
        ]
        _run([*pip, "install", *target, *platforms, f"{own}[gateway]"], "fetching the gateway's packages")
    shutil.rmtree(lib / "bin", ignore_errors=True)  # their programs begin with this machine's Python


def control(arch: str, python_version: str, size_kb: int) -> str:
    """Return Debian's description; compiled packages are good for one Python version only."""
    major, minor = map(int, python_version.split("."))
    return f"""Package: derb
Version: {version()}
Architecture: {arch}
Maintainer: The Derb authors <derb@localhost>
Section: net
Priority: optional
Installed-Size: {size_kb}
Depends: python3 (>= {major}.{minor}), python3 (<< {major}.{minor + 1}), mosquitto (>= 2.0), procps, systemd, tzdata
Description: City sensing: the gateway near the street
 Takes signed readings from parking and waste sensors over MQTT and ESP-NOW relays, keeps each once
 whatever loses power, and hands them on in the city's own format. All Python packages are inside.
"""


def version() -> str:
    """Return the project's version."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return str(pyproject["project"]["version"])


def _lay_out(tree: Path) -> None:
    _write(tree / "opt/derb/bin/derb", LAUNCHER, 0o755)
    for source, place in (
        ("LICENSE", "usr/share/doc/derb/copyright"),
        ("docs/operations.md", "usr/share/doc/derb/operations.md"),
        ("docs/configuration.md", "usr/share/doc/derb/configuration.md"),
        ("docs/security.md", "usr/share/doc/derb/security.md"),
        ("gateway/deploy/prometheus-rules.yml", "usr/share/derb/prometheus-rules.yml"),
        ("gateway/deploy/grafana-dashboard.json", "usr/share/derb/grafana-dashboard.json"),
    ):
        _write(tree / place, (ROOT / source).read_text("utf-8"))
    for path in tree.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
        elif path.name != "derb":
            path.chmod(0o644)


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _own_arch() -> str:
    machine = subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout.strip()
    for arch, name in PLATFORMS.items():
        if name == machine:
            return arch
    raise DebError(f"no packages are built for {machine}: give ARCH=arm64 or ARCH=amd64")


def _run(command: list[str], what: str) -> None:
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        print(finished.stdout[-2000:] + finished.stderr[-2000:], file=sys.stderr)
        raise DebError(f"{what} failed (exit {finished.returncode}); its last words are above")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
