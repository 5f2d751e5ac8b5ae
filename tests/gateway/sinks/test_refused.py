"""What a sink refused: kept for an operator, in bounds, in a file that nothing else fills."""

from pathlib import Path

import pytest
from derb_gateway.errors import StoreError
from derb_gateway.sinks.refused import RefusedBook, refused_path
from derb_gateway.store import StoredReading
from gateway.kit import NODE, NOW_MS


def reading(seq: int, body: str = "{}") -> StoredReading:
    return StoredReading(seq, NODE, 1, seq, 1, body, NOW_MS, 0, False, NOW_MS, True)


def test_it_makes_no_file_until_there_is_something_to_keep(tmp_path: Path) -> None:
    path = refused_path(tmp_path / "derb.sqlite3")
    book = RefusedBook(path)
    assert (book.wanted("city", 9), book.listed(), book.counts()) == ([], [], {})
    assert (book.replay(), book.drop()) == (0, 0)
    assert not path.exists()


def test_a_reading_comes_back_whole_however_long_it_is(tmp_path: Path) -> None:
    book = RefusedBook(tmp_path / "refused")
    long = reading(1, '{"fields":{' + ",".join(f'"é{i}":{i}' for i in range(500)) + "}}")
    book.keep("city", long, "because", NOW_MS)
    book.replay("city")
    assert book.wanted("city", 9) == [long]


def test_sinks_do_not_mix(tmp_path: Path) -> None:
    book = RefusedBook(tmp_path / "refused")
    for sink in ("one", "two"):
        book.keep(sink, reading(1), "because", NOW_MS)
    assert book.replay("one") == 1
    assert book.wanted("two", 9) == []
    book.delivered("one", [reading(1)])
    assert book.counts() == {"two": 1}
    (left,) = book.listed()
    assert book.drop(ids=[left.id, 999]) == 1


def test_refused_again_is_one_row_that_waits_for_the_operator_again(tmp_path: Path) -> None:
    book = RefusedBook(tmp_path / "refused")
    book.keep("city", reading(1), "because", NOW_MS)
    book.replay()
    book.keep("city", reading(1), "still", NOW_MS + 1)
    (row,) = book.listed()
    assert (row.why, row.tries, row.wanted, row.at_ms) == ("still", 2, False, NOW_MS + 1)


def test_a_flood_pushes_out_the_oldest_of_its_own_sink_and_says_how_many(tmp_path: Path) -> None:
    book = RefusedBook(tmp_path / "refused", rows_kept=20)
    book.keep("other", reading(0), "because", NOW_MS)
    shed = sum(book.keep("city", reading(seq), "because", NOW_MS) for seq in range(50))
    kept = [row.reading.seq for row in book.listed("city")]
    assert kept == list(range(shed, 50))
    assert len(kept) <= 20
    assert book.counts()["other"] == 1


def test_an_endless_reason_is_cut(tmp_path: Path) -> None:
    book = RefusedBook(tmp_path / "refused")
    book.keep("city", reading(1), "x" * 10**6, NOW_MS)
    assert len(book.listed()[0].why) == 500


def test_a_file_that_is_none_is_an_error_with_a_name(tmp_path: Path) -> None:
    path = tmp_path / "refused"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="refused"):
        RefusedBook(path).keep("city", reading(1), "because", NOW_MS)
