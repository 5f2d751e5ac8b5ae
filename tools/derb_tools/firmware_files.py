"""Where the firmware's sources and the board descriptions are: in the checkout, or in the installed wheel."""

import shutil
from pathlib import Path

from derb_tools.errors import PartMissing

PACKAGE = Path(__file__).parent
IN_WHEEL = PACKAGE / "_data"
CHECKOUT = PACKAGE.parents[1]


def firmware_dir() -> Path:
    """The folder that holds `main.py` and `derb/`, as on a board. Raises PartMissing."""
    return _find("firmware", "derb")


def relay_tree(folder: Path) -> Path:
    """Lay out in a new folder what a relay has on its flash, and return it. Raises PartMissing."""
    source = firmware_dir()
    (folder / "derb").mkdir(parents=True)
    shutil.copy(source / "derb" / "__init__.py", folder / "derb")
    shutil.copytree(
        source / "relay", folder / "relay", ignore=shutil.ignore_patterns("__pycache__", "main.py")
    )
    shutil.copy(source / "relay" / "main.py", folder)
    return folder


def boards_dir() -> Path:
    """The folder of board descriptions, one TOML a board. Raises PartMissing."""
    return _find("boards", ".")


def _find(folder: str, proof: str) -> Path:
    """The wheel's copy, which exists only there, else the checkout's."""
    for root in (IN_WHEEL, CHECKOUT):
        if (root / folder / proof).is_dir():
            return root / folder
    raise PartMissing(f"{folder}/ is neither in this installation of derb nor beside it: install derb again")
