"""Keeps what was pulled in a file: whole or not at all, and never over another."""

import json
import os
from pathlib import Path
from typing import Any

_FILE_SIGNS = str.maketrans({":": "", ".": "", "-": ""})


def keep_pulled(pulled: dict[str, Any], out: Path | None = None) -> Path:
    """Write it to `out`, else to NODE-TIME.json in this folder; where it is. OSError."""
    path = out or Path(f"{pulled['node']}-{pulled['frames_at'].translate(_FILE_SIGNS)}.json")
    write_whole(path, json.dumps(pulled, indent=1))
    return path


def write_whole(path: Path, text: str) -> None:
    """Write a file that is there whole or not at all, on the disk when this returns. OSError."""
    partly = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partly.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partly.replace(path)
    finally:
        partly.unlink(missing_ok=True)
