"""What a broker was told last: remembered over a restart, never older than what it may have."""

from pathlib import Path

from derb_gateway.sinks.picture import Picture, Told, picture_path

EARLY, LATE = "2026-11-28T06:00:00.000Z", "2026-11-28T07:00:00.000Z"


def test_times_tell_between_nodes_and_between_their_lives() -> None:
    old = Told("free", EARLY, "a", 1, 9)
    assert old.is_older_than(Told("free", LATE, "b", 1, 1))
    assert not Told("free", LATE, "a", 2, 0).is_older_than(old)
    assert old.is_older_than(Told("free", LATE, "a", 2, 0))


def test_numbers_tell_within_a_life_where_a_time_is_unsure() -> None:
    unsure = Told("free", LATE, "a", 1, 3)
    assert unsure.is_older_than(Told("occupied", EARLY, "a", 1, 4))
    assert not Told("occupied", EARLY, "a", 1, 4).is_older_than(unsure)


def test_the_same_reading_is_not_older_than_itself() -> None:
    told = Told("free", EARLY, "a", 1, 3)
    assert not told.is_older_than(told)


def test_it_is_there_after_a_restart(tmp_path: Path) -> None:
    path = picture_path(tmp_path / "derb.sqlite3", "city")
    picture = Picture(path)
    picture.load()
    told = Told("free", EARLY, "a", 1, 3)
    picture.save({("urn:a", "status"): told})
    again = Picture(path)
    again.load()
    assert again.get("urn:a", "status") == told
    assert again.get("urn:a", "other") is None


def test_a_damaged_file_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "city.picture.sqlite3"
    path.write_bytes(b"no database" * 1000)
    picture = Picture(path)
    picture.load()
    picture.save({("urn:a", "status"): Told("free", EARLY, "a", 1, 3)})
    assert len(list(tmp_path.glob("*damaged*"))) == 1
