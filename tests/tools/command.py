"""Runs the real `derb` command, as a user does."""

import subprocess
import sys
from pathlib import Path


def run_derb(*arguments: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run it to its end; both outputs as text."""
    command = [sys.executable, "-m", "derb_tools.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)
