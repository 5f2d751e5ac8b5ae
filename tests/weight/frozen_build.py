"""Builds MicroPython's unix port, 32-bit, with the firmware frozen by its own manifest, as a custom image for a board has it.

The source is Debian's package of it, fetched through apt, or a checkout that MICROPYTHON_SOURCE names. `gcc -m32` is needed
(Debian: gcc-multilib). What the ESP32 port brings and the unix port lacks stands beside the manifest's modules and is never run.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from derb_tools.firmware_files import firmware_dir
from derb_tools.thirdparty import umqtt_dir

ROOT = Path(__file__).parents[2]
SUITE = "trixie"  # the first of Debian's with a MicroPython that this firmware runs on
_OF_ESP32 = ("espnow.py", "flashbdev.py")
_LEFT_OUT = ("SSL", "FFI", "BTREE", "THREAD")


class BuildFailed(Exception):
    """The text says what to do."""


def frozen_micropython(folder: Path) -> Path:
    """Build in `folder`, new or used before, and return the program."""
    _require_m32()
    folder.mkdir(parents=True, exist_ok=True)
    source = _source(folder)
    port = source / "ports" / "unix"
    (port / "modules").mkdir(exist_ok=True)
    for name in _OF_ESP32:
        shutil.copy(source / "ports" / "esp32" / "modules" / name, port / "modules")
    _run(["make", "-C", str(source / "mpy-cross")])
    build = folder / "build"
    _run(
        [
            "make", "-C", str(port), f"-j{os.cpu_count()}", f"BUILD={build}", "MICROPY_FORCE_32BIT=1", "MICROPY_STANDALONE=0",
            *(f"MICROPY_PY_{name}=0" for name in _LEFT_OUT), "MICROPY_SSL_MBEDTLS=0", "MICROPY_USE_READLINE=0",
            "CFLAGS_EXTRA=-m32 -DMICROPY_FLOAT_USE_NATIVE_FLT16=0", "LDFLAGS_EXTRA=-m32",
            f"FROZEN_MANIFEST={firmware_dir() / 'manifest.py'}", f"MPY_LIB_DIR={_library(folder)}",
        ]
    )  # fmt: skip
    return build / "micropython"


def _require_m32() -> None:
    program = '#include <stdio.h>\nint main(void) { return puts(""); }\n'
    try:
        command = ["gcc", "-m32", "-fsyntax-only", "-x", "c", "-"]
        done = subprocess.run(command, input=program, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise BuildFailed("there is no gcc: sudo apt install gcc-multilib make") from None
    if done.returncode:
        raise BuildFailed("gcc -m32 does not work here: sudo apt install gcc-multilib")


def _library(folder: Path) -> Path:
    """What the manifest requires of micropython-lib: umqtt.simple itself, an empty onewire, which no weighing needs."""
    library = folder / "lib"
    umqtt = library / "micropython" / "umqtt.simple"
    onewire = library / "micropython" / "onewire"
    for place in (umqtt, onewire):
        place.mkdir(parents=True, exist_ok=True)
    shutil.copytree(umqtt_dir() / "umqtt", umqtt / "umqtt", dirs_exist_ok=True)
    (umqtt / "manifest.py").write_text('package("umqtt")\n')
    (onewire / "onewire.py").write_text("")
    (onewire / "manifest.py").write_text('module("onewire.py")\n')
    (library / "README.md").write_text("")
    return library


def _source(folder: Path) -> Path:
    if given := os.environ.get("MICROPYTHON_SOURCE"):
        return Path(given)
    found = next(folder.glob("micropython-*/py/py.mk"), None)
    if found is None:
        _fetch(folder)
        found = next(folder.glob("micropython-*/py/py.mk"))
    return found.parents[1]


def _fetch(folder: Path) -> None:
    """Have apt fetch the source package into `folder`; the system's own lists stay as they are."""
    if shutil.which("apt-get") is None:
        raise BuildFailed("say MICROPYTHON_SOURCE=/path/to/micropython, a checkout of 1.25 or later")
    sites = _run(["apt-get", "indextargets", "--format", "$(SITE)", "Origin: Debian"]).split()
    if not sites:
        raise BuildFailed("apt knows no Debian: say MICROPYTHON_SOURCE=/path/to/micropython")
    site = next((each for each in sites if "security" not in each), sites[0])
    (folder / "lists").mkdir(exist_ok=True)
    keyring = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    signed = f"[signed-by={keyring}] " if keyring.exists() else ""
    (folder / "sources.list").write_text(f"deb-src {signed}{site} {SUITE} main\n")
    apt = ["apt-get", "-qq"]
    for option in (
        f"Dir::Etc::sourcelist={folder / 'sources.list'}",
        "Dir::Etc::sourceparts=-",
        f"Dir::State::Lists={folder / 'lists'}",
        "APT::Sandbox::User=root",
    ):
        apt += ["-o", option]
    _run([*apt, "update"])
    _run([*apt, "--download-only", "source", "micropython"], cwd=folder)
    _run(["tar", "-xf", str(next(folder.glob("*.orig.tar.xz")))], cwd=folder)


def _run(command: Sequence[str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"{' '.join(command[:3])} ... failed:\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
    return done.stdout
