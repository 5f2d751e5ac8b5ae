"""Keeps what was pulled in a file: whole or not at all, and never over another."""

import json
from pathlib import Path
from typing import Any

from derb_tools.whole_file import write_whole

_FILE_SIGNS = str.maketrans({":": "", ".": "", "-": ""})


def keep_pulled(pulled: dict[str, Any], out: Path | None = None) -> Path:
    """Write it to `out`, else to NODE-TIME.json in this folder; where it is. OSError."""
    path = out or Path(f"{pulled['node']}-{pulled['frames_at'].translate(_FILE_SIGNS)}.json")
    write_whole(path, json.dumps(pulled, indent=1))
    return path
