"""What the node takes of a 32-bit MicroPython's heap with its firmware frozen, as in a custom image (docs/custom-image.md).

Builds that MicroPython first, in .cache/frozen: tests/weight/frozen_build.py says from what and with what.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from derb_tools.firmware_files import firmware_dir

from tests.weight.frozen_build import ROOT, BuildFailed, frozen_micropython
from tests.weight.weighing import (
    CONFIGS,
    compiled_stand_ins,
    mpy_folder,
    record_after,
    smallest_heap,
    weigh_all_at_once,
)

RESIDENT_AIM_BYTES = 46_080
PEAK_AIM_BYTES = 46_080 + 20_480


def say(figure: str, value: int, **more: object) -> None:
    print(
        json.dumps({"bench": "frozen", "figure": figure, "value": value, "unit": "bytes", **more}), flush=True
    )


def modules() -> list[str]:
    """Every module of the node, frozen."""
    paths = [path.relative_to(firmware_dir()).with_suffix("") for path in firmware_dir().glob("derb/**/*.py")]
    return ["slots", *sorted(".".join(path.parts).removesuffix(".__init__") for path in paths)]


def main() -> None:
    program = [str(frozen_micropython(ROOT / ".cache" / "frozen"))]
    with mpy_folder() as mpy, compiled_stand_ins() as stand_ins, tempfile.TemporaryDirectory() as nothing:
        say(
            "all modules at once, heap",
            weigh_all_at_once(program, modules(), stand_ins),
            aim=RESIDENT_AIM_BYTES,
        )
        for kind, config in CONFIGS.items():
            for before, record in (("a loss of power", ""), ("a sleep", record_after(mpy, config))):
                value = smallest_heap(program, Path(nothing), config, record, stand_ins)
                say(f"{kind}, after {before}: smallest heap", value, aim=PEAK_AIM_BYTES)


if __name__ == "__main__":
    try:
        main()
    except (BuildFailed, subprocess.SubprocessError) as error:
        sys.exit(f"derb: {error}")
