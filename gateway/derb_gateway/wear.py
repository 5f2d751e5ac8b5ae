"""How much the gateway writes to its card: what the kernel says that this process had sent to the disk."""

import re
from pathlib import Path

WRITTEN = "disk_written_bytes"
_WRITTEN = re.compile(r"^write_bytes: (\d+)$", re.MULTILINE)


class Wear:
    """Bytes written since it was last asked; memory file systems count nothing, nor does a system without /proc."""

    def __init__(self, counters: Path = Path("/proc/self/io")) -> None:
        self._counters = counters
        self._seen = 0

    def since_last(self) -> int:
        """Return the bytes written since the last call, at first since the process began."""
        try:
            found = _WRITTEN.search(self._counters.read_text())
        except OSError:
            return 0
        now = int(found[1]) if found else 0
        since, self._seen = max(0, now - self._seen), now
        return since
