"""What the machine gives a gateway: memory, open files, room for the store's budget, a disk that keeps what it is given."""

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from derb_gateway.config import StoreSettings
from derb_gateway.findings import Finding, Verdict, ground

# The gateway with 10,000 nodes, its broker, and mending a damaged store: see the unit in gateway/deploy.
_MEMORY_BAD_BYTES = 120_000_000
_MEMORY_POOR_BYTES = 250_000_000
_FILES_POOR = 512
_FORGETFUL = {"tmpfs", "ramfs", "overlay"}
_FREE_INODES_POOR = 1_000


def check_machine(store: StoreSettings) -> Iterator[Finding]:
    """Yield what was found."""
    yield check_memory()
    yield check_open_files()
    yield from check_store_disk(store)


def check_memory(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> Finding:
    """Whether the gateway has the memory it needs: what the machine has left, or less if somebody limits us."""
    available, limit = _available_bytes(proc), _limit_bytes(proc, cgroups)
    known = [number for number in (available, limit) if number is not None]
    if not known:
        return Finding(Verdict.WARN, "memory", "this system does not say how much there is")
    usable = min(known)
    told = f"{usable / 1e6:.0f} MB {'may be used' if usable == limit else 'left'}"
    if usable >= _MEMORY_POOR_BYTES:
        return Finding(Verdict.OK, "memory", told)
    verdict = Verdict.WARN if usable >= _MEMORY_BAD_BYTES else Verdict.BAD
    return Finding(
        verdict, "memory", f"only {told}: mending a damaged store takes 250 MB (MemoryMax=, other programs)"
    )


def _available_bytes(proc: Path) -> int | None:
    try:
        lines = (proc / "meminfo").read_text().splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith("MemAvailable:")), "")
    return int(found.split()[1]) * 1024 if found else None


def _limit_bytes(proc: Path, cgroups: Path) -> int | None:
    """Return the tightest limit of the control groups (version 2) that this process is in."""
    try:
        inside = (proc / "self/cgroup").read_text().strip().rpartition("::")[2]
        group = cgroups / inside.lstrip("/")
        limits = [
            (each / "memory.max").read_text().strip() for each in (group, *group.parents) if _is_limited(each)
        ]
    except OSError:
        return None
    return min((int(limit) for limit in limits if limit.isdigit()), default=None)


def _is_limited(group: Path) -> bool:
    return (group / "memory.max").is_file()


def check_open_files() -> Finding:
    """Whether enough files and connections may be open at a time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= _FILES_POOR:
        return Finding(
            Verdict.OK, "open files", f"{'any number' if soft == resource.RLIM_INFINITY else soft} at a time"
        )
    more = "ulimit -n" if hard == resource.RLIM_INFINITY or hard > soft else "LimitNOFILE="
    return Finding(Verdict.WARN, "open files", f"only {soft} at a time: raise it to {_FILES_POOR} ({more})")


def check_store_disk(store: StoreSettings, mounts: Path = Path("/proc/self/mounts")) -> Iterator[Finding]:
    """Whether the store's disk has room for its budget and keeps what it is given when power fails."""
    folder = ground(store.path.parent)
    free, there = shutil.disk_usage(folder).free, store.path.stat().st_size if store.path.exists() else 0
    if free + there < store.budget_bytes:
        room = f"budget_bytes is {store.budget_bytes / 1e9:.1f} GB, and only {(free + there) / 1e9:.1f} GB are there"
        yield Finding(
            Verdict.WARN, "disk", f"{room}: the disk will be full before anything is shed; lower it"
        )
    if 0 < os.statvfs(folder).f_favail < _FREE_INODES_POOR:
        yield Finding(Verdict.WARN, "disk", f"few files can still be made at {folder} (df -i)")
    if (kind := _kind(folder, mounts)) in _FORGETFUL:
        yield Finding(
            Verdict.WARN, "disk", f"{folder} is {kind}, which forgets with power, or with its container"
        )


def _kind(folder: Path, mounts: Path) -> str:
    """Return the file system's kind: of the longest mount point that the folder is below."""
    try:
        lines = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return ""
    real = folder.resolve()
    found = [(len(at), kind) for _, at, kind, *_ in lines if real.is_relative_to(at.replace("\\040", " "))]
    return max(found)[1] if found else ""
