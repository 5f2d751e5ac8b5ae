"""A person sees at a glance: alarms first, who is behind, who is silent."""

import io
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.alarms import raise_alarm
from derb_gateway.status import status
from derb_gateway.status_view import status_view
from gateway.kit import NODE, NOW_MS, OTHER, OTHER_KEY, STRANGER, Disk, arrival, frame
from rich.console import Console

NOW = datetime.fromisoformat("2026-11-18T11:06:40Z")  # NOW_MS


def shown(told: dict[str, Any], after_s: int = 90, width: int = 100) -> str:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(status_view(told, NOW + timedelta(seconds=after_s)))
    return out.getvalue()


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    disk = Disk(tmp_path / "derb.sqlite3")
    disk.take(arrival(frame(0, 1)), arrival(frame(5)), arrival(frame(0), node=STRANGER), arrival(b"x"))
    return disk


def told(disk: Disk, sinks: list[str]) -> dict[str, Any]:
    seen = status(disk.path, sinks)
    disk.store.close()
    return seen


def test_alarms_stand_first_with_what_they_say(disk: Disk) -> None:
    raise_alarm(disk.store.db, "disk_refused", "database or disk is full", NOW_MS)
    lines = shown(told(disk, [])).splitlines()
    assert lines[0].strip() == "alarms"
    assert "disk_refused" in lines[2]
    assert "90 s ago" in lines[2]
    assert "disk is full" in lines[2]


def test_all_that_an_operator_looks_for(disk: Disk) -> None:
    text = shown(told(disk, ["city"]))
    assert "no alarms" in text
    assert "3 readings taken, 0 repeats recognised; 3 kept, 3 missing" in text
    assert ["city", "3", "0"] in [line.split() for line in text.splitlines()]
    assert [NODE, "90", "s", "ago", "2", "3", "0"] in [line.split() for line in text.splitlines()]
    assert STRANGER in text
    assert "refused messages, kept: too_short 1" in text


def test_the_longest_silent_nodes_come_first(disk: Disk) -> None:
    disk.take(arrival(frame(0, node=OTHER, key=OTHER_KEY), node=OTHER, at_ms=NOW_MS - 200_000_000))
    text = shown(told(disk, []))
    assert text.index(OTHER) < text.index(NODE)
    assert "2 d ago" in text


def test_thousands_of_nodes_are_not_thousands_of_lines(disk: Disk) -> None:
    seen = told(disk, [])
    seen["nodes"] = {f"{n:012x}": seen["nodes"][NODE] for n in range(5_000)}
    text = shown(seen)
    assert "the 30 longest silent of 5000" in text
    assert len(text.splitlines()) < 60


def test_a_clock_that_was_set_back_and_a_narrow_terminal_break_nothing(disk: Disk) -> None:
    assert "2026-11-18T11" in shown(told(disk, ["city"]), after_s=-3600, width=110)


def test_an_empty_street_says_so(tmp_path: Path) -> None:
    text = shown(told(Disk(tmp_path / "derb.sqlite3"), []), width=40)
    assert "no node was heard yet" in text
    assert "readings go nowhere" in text
