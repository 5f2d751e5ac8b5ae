"""Reading beside the writer: in order, and past what a dying card has changed."""

from pathlib import Path

import pytest
from derb_gateway.reader import readings_after
from gateway.kit import Disk, arrival, frame


@pytest.mark.parametrize("change", [b"\xffree", b"frei", b'fr"e'])
def test_a_reading_with_a_wrong_bit_holds_up_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: bytes
) -> None:
    disk = Disk(tmp_path / "derb.sqlite3")
    disk.take(arrival(frame(0, 1, 2)))
    row = "SELECT id, body FROM reading WHERE seq = 1"
    id_, body = disk.store.db.execute(row).fetchone()
    wrong = body.encode().replace(b"occupied", change)
    disk.store.db.execute(f"UPDATE reading SET body = CAST(x'{wrong.hex()}' AS TEXT) WHERE id = {id_}")
    assert [reading.seq for reading in readings_after(disk.path, 0, 10)] == [0, 2]
    assert [reading.seq for reading in readings_after(disk.path, 0, 2)] == [0, 2], (
        "shorter means that there are no more"
    )
    assert "reading damaged, left out" in caplog.messages
    disk.take(arrival(frame(1)))  # nor the intake
    assert disk.store.counters()["refused.identity_reused"] == 1
    disk.store.close()
