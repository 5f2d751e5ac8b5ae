"""What the nodes said they kept, against what came out at the far end. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Key = str


@dataclass
class Kept:
    """A reading as its node put it into its outbox."""

    kind: int
    payload: str
    street_ms: int


@dataclass
class NodeLedger:
    """One node's own words, read off its serial line."""

    kept: dict[Key, Kept] = field(default_factory=dict)
    receipts: set[Key] = field(default_factory=set)
    frames: int = 0
    frame_bytes: int = 0
    wakes: int = 0
    failures: int = 0
    crashes: int = 0

    @property
    def waiting(self) -> int:
        """Readings that have no receipt yet."""
        return len(self.kept.keys() - self.receipts)


class Ledger:
    """All nodes' words."""

    def __init__(self, nodes: Iterable[str]) -> None:
        self.nodes = {node: NodeLedger() for node in nodes}

    def read(self, node: str, log: Iterable[str], street_ms: int) -> None:
        """Take the lines that a node wrote in one wake; lines that are not its own format are left alone."""
        entry = self.nodes[node]
        entry.wakes += 1
        for line in log:
            words = line.split()
            if len(words) < 2 or words[0] != "derb":
                continue
            match words[1], words[2:]:
                case "kept", [boot, sequence, kind, payload, *_]:
                    entry.kept[f"{node}:{boot}:{sequence}"] = Kept(int(kind), payload, street_ms)
                case "done", [boot, sequence]:
                    entry.receipts.add(f"{node}:{boot}:{sequence}")
                case "sent", [_, _, _, size]:
                    entry.frames += 1
                    entry.frame_bytes += int(size)
                case "failed", _:
                    entry.failures += 1

    def kept(self) -> dict[Key, Kept]:
        """Return everything that was ever put into an outbox."""
        return {key: kept for entry in self.nodes.values() for key, kept in entry.kept.items()}

    @property
    def waiting(self) -> int:
        """Readings that have no receipt yet, of all nodes."""
        return sum(entry.waiting for entry in self.nodes.values())


@dataclass(frozen=True)
class Balance:
    """What one way upstream comes to."""

    arrived: int
    lost: tuple[Key, ...]
    doubled: tuple[Key, ...]

    @property
    def sound(self) -> bool:
        """Whether every reading arrived exactly once."""
        return not self.lost and not self.doubled


def balance(kept: Iterable[Key], arrived: Mapping[Key, int]) -> Balance:
    """Hold what was kept against how often each reading took effect; what nobody kept counts as doubled."""
    expected = set(kept)
    doubled = [key for key, times in arrived.items() if times > 1 or key not in expected]
    return Balance(sum(arrived.values()), tuple(sorted(expected - arrived.keys())), tuple(sorted(doubled)))


def count_keys(readings: Iterable[Mapping[str, Any]]) -> Counter[Key]:
    """Count readings by their key, repeats and all."""
    return Counter(str(reading["key"]) for reading in readings)
