"""When a place is closed, by the site's own clock, also on the days on which that moves."""

from datetime import UTC, datetime
from pathlib import Path

from derb_gateway.closures import FOR_EVER_MS, Closures, Period
from derb_gateway.registry import load_registry

PLACES = """
[[bay]]
id = "b1"
zone = "maarif"
lat = 33.58
lon = -7.62
[[container]]
id = "c1"
zone = "maarif"
lat = 33.58
lon = -7.62
empty_mm = 1500
full_mm = 250
"""
BAY = ("bay", "b1")


def closures(tmp_path: Path, text: str) -> Closures:
    path = tmp_path / "registry.toml"
    path.write_text(PLACES + text)
    return load_registry(path).closures


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


def test_once_from_and_until(tmp_path: Path) -> None:
    found = closures(
        tmp_path,
        '[[closed]]\nbay = "b1"\nfrom = 2026-12-01T08:00:00\nuntil = 2026-12-03 18:00:00\nwhy = "works"',
    )
    works = Period(ms("2026-12-01T07:00"), ms("2026-12-03T17:00"), "works")  # Casablanca is at UTC+1 then
    assert found.at(BAY, works.from_ms) == works
    assert found.at(BAY, works.until_ms - 1) == works
    assert found.at(BAY, works.from_ms - 1) is None
    assert found.at(BAY, works.until_ms) is None
    assert found.at(("container", "c1"), works.from_ms) is None


def test_without_an_end_until_it_is_opened(tmp_path: Path) -> None:
    found = closures(tmp_path, '[[closed]]\ncontainer = "c1"\nfrom = 2026-12-01T08:00:00+01:00')
    assert found.at(("container", "c1"), ms("2031-01-01T00:00")) == Period(
        ms("2026-12-01T07:00"), FOR_EVER_MS, ""
    )


def test_a_zone_is_each_of_its_places(tmp_path: Path) -> None:
    found = closures(tmp_path, '[[closed]]\nzone = "maarif"\nfrom = 2026-12-01T08:00:00')
    assert found.at(BAY, ms("2026-12-02T00:00"))
    assert found.at(("container", "c1"), ms("2026-12-02T00:00"))


def test_a_market_keeps_its_local_hours_when_the_clocks_move_for_ramadan(tmp_path: Path) -> None:
    market = '[[closed]]\nbay = "b1"\nweekly = ["tue"]\nfrom = 06:00:00\nuntil = 14:00:00\nwhy = "market"'
    found = closures(tmp_path, market)
    before, within = ms("2026-02-10T05:00"), ms("2026-02-24T06:00")  # from 15 February 2026 on at UTC
    assert found.at(BAY, before) == Period(before, before + 8 * 3_600_000, "market")
    assert found.at(BAY, within) == Period(within, within + 8 * 3_600_000, "market")
    assert found.at(BAY, before - 1) is None
    assert [each.from_ms for each in found.periods(BAY, before, within + 1)] == [
        before,
        ms("2026-02-17T06:00"),
        within,
    ]


def test_over_midnight(tmp_path: Path) -> None:
    found = closures(
        tmp_path, '[[closed]]\nbay = "b1"\nweekly = ["fri", "sat"]\nfrom = 22:00:00\nuntil = 02:00:00'
    )
    friday = ms("2026-12-04T21:00")
    assert found.at(BAY, friday + 3_600_000) == Period(friday, friday + 4 * 3_600_000, "")
    assert [each.from_ms for each in found.periods(BAY, friday, friday + 7 * 86_400_000)] == [
        friday,
        friday + 86_400_000,
    ]


def test_what_touches_is_one(tmp_path: Path) -> None:
    days = '[[closed]]\nbay = "b1"\nweekly = ["mon", "tue"]\nfrom = 00:00:00\nuntil = 00:00:01\n'
    found = closures(
        tmp_path,
        '[[closed]]\nbay = "b1"\nfrom = 2026-12-01T08:00:00\nuntil = 2026-12-01T10:00:00\nwhy = "works"\n'
        '[[closed]]\nbay = "b1"\nfrom = 2026-12-01T10:00:00\nuntil = 2026-12-01T12:00:00\n' + days,
    )
    assert found.at(BAY, ms("2026-12-01T10:30")) == Period(
        ms("2026-12-01T07:00"), ms("2026-12-01T11:00"), "works"
    )


def test_the_next_change_of_any_place(tmp_path: Path) -> None:
    found = closures(
        tmp_path,
        '[[closed]]\nbay = "b1"\nweekly = ["tue"]\nfrom = 06:00:00\nuntil = 14:00:00\n'
        '[[closed]]\ncontainer = "c1"\nfrom = 2026-12-01T09:00:00\n',
    )
    tuesday = ms("2026-12-01T05:00")
    assert found.next_change(tuesday - 1) == tuesday
    assert found.next_change(tuesday) == ms("2026-12-01T08:00")
    assert found.next_change(ms("2026-12-01T08:00")) == ms("2026-12-01T13:00")
    assert closures(tmp_path, "").next_change(0) > 0
