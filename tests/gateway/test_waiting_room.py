"""The waiting room holds a crowd at bay, and keeps the one who is meant to come in."""

from pathlib import Path

import pytest
from derb_gateway.intake import Limits
from derb_gateway.waiting_room import FRAMES_A_NODE, waiting_nodes
from gateway.kit import NOW_MS, OTHER_KEY, STRANGER, Disk, arrival, frame

LIMITS = Limits(waiting=50)


@pytest.fixture
def disk(tmp_path: Path) -> object:
    disk = Disk(tmp_path / "derb.sqlite3", LIMITS)
    yield disk
    disk.store.close()


def test_the_latest_frames_of_a_node_are_kept(disk: Disk) -> None:
    for seq in range(FRAMES_A_NODE + 5):
        disk.take(arrival(frame(seq, node=STRANGER, key=OTHER_KEY), node=STRANGER, at_ms=NOW_MS + seq))
    (guest,) = waiting_nodes(disk.store.db)
    assert guest.frames == FRAMES_A_NODE + 5
    disk.intake.registry.keys[STRANGER] = OTHER_KEY
    disk.let_in()
    assert disk.sequences(STRANGER) == list(range(5, FRAMES_A_NODE + 5))


def test_a_crowd_of_made_up_nodes_costs_a_bounded_room_and_does_not_push_out_who_speaks_again(
    disk: Disk,
) -> None:
    for seq in range(3):
        disk.take(arrival(frame(seq, node=STRANGER, key=OTHER_KEY), node=STRANGER, at_ms=NOW_MS + seq))
    made_up = frame(0)
    for first in range(0, 2_000, 500):
        crowd = [
            arrival(made_up, node=f"{0xDE0000000000 + n:012x}", at_ms=NOW_MS + n)
            for n in range(first, first + 500)
        ]
        disk.take(*crowd)
    waiting = waiting_nodes(disk.store.db)
    assert len(waiting) <= LIMITS.waiting * 9 // 8
    assert STRANGER in {guest.node for guest in waiting}
    assert disk.one("SELECT count(*) FROM waiting_frame") == len(waiting) + 2
    assert disk.one("SELECT count(*) FROM quarantine") == 0
    assert disk.store.counters()["refused.unknown_node"] == 2_003


def test_a_node_is_listed_with_the_relay_that_heard_it(disk: Disk) -> None:
    heard = arrival(frame(0, node=STRANGER, key=OTHER_KEY), node=STRANGER)
    disk.take(
        type(heard)(
            **{name: getattr(heard, name) for name in heard.__slots__} | {"relay": "roof", "rssi_dbm": -71}
        )
    )
    (guest,) = waiting_nodes(disk.store.db)
    assert (guest.relay, guest.rssi_dbm) == ("roof", -71)
