"""A machine that is too small, or forgets, is said before it hurts."""

import resource
from pathlib import Path
from types import SimpleNamespace

import pytest
from derb_gateway.config import StoreSettings
from derb_gateway.findings import Verdict
from derb_gateway.machine_check import check_memory, check_open_files, check_store_disk

MB = 1_000_000


def machine(folder: Path, available_mb: int, **limits: str) -> tuple[Path, Path]:
    """A /proc and a /sys/fs/cgroup: `a` holds `b`, which holds us."""
    proc, cgroups = folder / "proc", folder / "cgroup"
    (proc / "self").mkdir(parents=True)
    (cgroups / "a/b").mkdir(parents=True)
    (proc / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable:    {available_mb * MB // 1024} kB\n")
    (proc / "self/cgroup").write_text("0::/a/b\n")
    for name, limit in limits.items():
        (cgroups / {"outer": "a", "inner": "a/b"}[name] / "memory.max").write_text(f"{limit}\n")
    return proc, cgroups


@pytest.mark.parametrize(
    ("available_mb", "limits", "verdict", "told"),
    [
        (900, {}, Verdict.OK, "900 MB left"),
        (200, {}, Verdict.WARN, "only 200 MB left"),
        (90, {}, Verdict.BAD, "only 90 MB left"),
        (900, {"inner": "max"}, Verdict.OK, "900 MB left"),
        (900, {"inner": "400000000"}, Verdict.OK, "400 MB may be used"),
        (900, {"inner": "max", "outer": "100000000"}, Verdict.BAD, "only 100 MB may be used"),
    ],
)
def test_memory_is_what_is_left_or_what_somebody_allows(
    tmp_path: Path, available_mb: int, limits: dict[str, str], verdict: Verdict, told: str
) -> None:
    finding = check_memory(*machine(tmp_path, available_mb, **limits))
    assert (finding.verdict, finding.what) == (verdict, "memory")
    assert finding.detail.startswith(told)


def test_a_system_that_does_not_say_is_no_error(tmp_path: Path) -> None:
    assert check_memory(tmp_path, tmp_path).verdict is Verdict.WARN


@pytest.mark.parametrize(
    ("soft", "hard", "verdict", "told"),
    [
        (1024, 4096, Verdict.OK, "1024 at a time"),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, Verdict.OK, "any number"),
        (100, 4096, Verdict.WARN, "ulimit -n"),
        (100, 100, Verdict.WARN, "LimitNOFILE="),
    ],
)
def test_open_files(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, verdict: Verdict, told: str
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (soft, hard))
    finding = check_open_files()
    assert finding.verdict is verdict
    assert told in finding.detail


def test_a_budget_that_the_disk_cannot_hold(tmp_path: Path) -> None:
    store = StoreSettings(path=tmp_path / "derb.sqlite3", budget_bytes=1 << 60)
    (first, *_) = check_store_disk(store)
    assert first.verdict is Verdict.WARN
    assert "the disk will be full before anything is shed" in first.detail


def test_a_disk_on_which_no_file_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "os.statvfs",
        lambda _: SimpleNamespace(f_favail=7, f_bavail=9, f_blocks=9, f_bfree=9, f_frsize=1 << 30),
    )
    found = check_store_disk(StoreSettings(path=tmp_path / "x", budget_bytes=1 << 20))
    assert [f.detail for f in found if "df -i" in f.detail]


@pytest.mark.parametrize(("inner", "forgets"), [("tmpfs", True), ("ext4", False)])
def test_a_disk_that_forgets(tmp_path: Path, inner: str, forgets: bool) -> None:
    mounts = tmp_path / "mounts"
    folder = tmp_path / "with space"
    folder.mkdir()
    at = str(folder).replace(" ", "\\040")
    mounts.write_text(f"a / overlay rw 0 0\nb {at} {inner} rw 0 0\nc {at}er tmpfs rw 0 0\n")
    store = StoreSettings(path=folder / "derb.sqlite3", budget_bytes=1 << 20)
    assert any("forgets with power" in f.detail for f in check_store_disk(store, mounts)) is forgets
