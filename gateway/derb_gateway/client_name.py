"""The gateway's name at its broker where none is configured: the same at every start, another one for every gateway.

Two clients of one name drive each other out, and each is given what the broker kept for the other.
"""

import hashlib
import socket
from pathlib import Path

_MACHINE_ID = Path("/etc/machine-id")  # machine-id(5) asks to show nobody the number itself
_DIGITS = 8


def client_name(site: str, store: Path, machine_id: Path = _MACHINE_ID) -> str:
    """Return `derb-`, the site, and a number of this machine and this store."""
    try:
        machine = machine_id.read_text().strip()
    except (OSError, UnicodeDecodeError):
        machine = ""
    what = f"derb\0{machine or socket.gethostname()}\0{store.absolute()}"
    return f"derb-{site}-{hashlib.sha256(what.encode()).hexdigest()[:_DIGITS]}"
