"""Parts that only the system's package manager can bring: found, installed through apt, or named."""

import importlib.util
import os
import shutil
import subprocess
import sys
import time

# What is looked for on PATH -> the Debian package that brings it.
PACKAGE_OF_PROGRAM = {"mosquitto": "mosquitto", "nats-server": "nats-server"}
VENV_PACKAGE = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"


class SystemPartMissing(Exception):
    """Something is missing and may not be installed from here."""


def provide(programs: list[str], *, needs_venv: bool, target: str) -> None:
    """Make sure of the programs; all that is missing is named at once, before anything is installed."""
    packages = missing_packages(programs, needs_venv=needs_venv)
    if not packages:
        return
    prefix = apt_prefix()
    if prefix is None:
        names = " ".join(packages)
        raise SystemPartMissing(f"`make {target}` needs {names}: sudo apt install {names}")
    install(packages, prefix)
    if still_missing := missing_packages(programs, needs_venv=needs_venv):
        raise SystemPartMissing(f"apt installed {' '.join(still_missing)}, yet it is not to be found")


def missing_packages(programs: list[str], *, needs_venv: bool) -> list[str]:
    packages = [PACKAGE_OF_PROGRAM[name] for name in programs if find_program(name) is None]
    if needs_venv and not has_venv():
        packages.append(VENV_PACKAGE)
    return packages


def find_program(name: str) -> str | None:
    """On PATH, or where Debian keeps daemons, which is not on every user's PATH."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])
    return shutil.which(name, path=path)


def has_venv() -> bool:
    """Debian's python3 has no ensurepip, and so makes no virtual environment, without its own package."""
    importlib.invalidate_caches()
    return importlib.util.find_spec("ensurepip") is not None


def apt_prefix() -> list[str] | None:
    """What goes before apt-get: nothing as root, else `sudo -n`; None where apt may not be used."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and run(["sudo", "-n", "true"]).returncode == 0:
        return ["sudo", "-n"]
    return None


def install(packages: list[str], prefix: list[str]) -> None:
    """apt-get install; its lists are fetched when they are missing or too old to find the package."""
    print(f"derb: setting up {' '.join(packages)} through apt ...", end=" ", flush=True)
    start = time.monotonic()
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    wanted = [*command, "install", "--yes", "--no-install-recommends", *packages]
    if run(wanted).returncode != 0:
        run([*command, "update"])
        finished = run(wanted)
        if finished.returncode != 0:
            print("failed", flush=True)
            print(finished.stdout[-2000:] + finished.stderr[-2000:], file=sys.stderr)
            raise SystemPartMissing(f"apt could not install {' '.join(packages)}; its last words are above")
    print(f"{time.monotonic() - start:.1f} s", flush=True)


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
