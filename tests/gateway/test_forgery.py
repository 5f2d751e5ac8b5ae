"""Replay and forgery at the gateway: each try is refused or changes nothing, and is counted under its own name."""

from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest
from derb_gateway.readings import ANSWER, HEALTH, Answer, Health, Reading, Uplink
from derb_tools.wire import encode_uplink
from gateway.kit import KEY, NODE, NOW_MS, OTHER, OTHER_KEY, STRANGER, Disk, arrival, frame

LATER_MS = NOW_MS + 3_600_000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    opened = Disk(tmp_path / "derb.sqlite3")
    yield opened
    opened.store.close()


def refused(disk: Disk) -> dict[str, int]:
    counters = disk.store.counters()
    return {name[8:]: count for name, count in counters.items() if name.startswith("refused.")}


def said(body: Health | Answer, sequence: int) -> bytes:
    kind = HEALTH if isinstance(body, Health) else ANSWER
    return encode_uplink(NODE, KEY, Uplink(kind, 1, False, (Reading(sequence, 0, body),)))


def test_recorded_frames_are_stored_once_in_whatever_order_they_come_again(tmp_path: Path) -> None:
    recorded = [frame(0), frame(1, 2), frame(3)]
    for number, order in enumerate(permutations(recorded)):
        disk = Disk(tmp_path / f"{number}.sqlite3")
        disk.take(*[arrival(each) for each in recorded])
        disk.take(*[arrival(each, at_ms=LATER_MS) for each in order])
        assert sorted(disk.sequences()) == [0, 1, 2, 3]
        assert refused(disk) == {"repeat": 3}
        disk.store.close()


def test_frames_from_another_nodes_topic_are_refused(disk: Disk) -> None:
    disk.take(arrival(frame(0), node=OTHER), arrival(frame(0), node=STRANGER))
    assert disk.one("SELECT count(*) FROM reading") == 0
    assert refused(disk) == {"bad_tag": 1, "unknown_node": 1}


def test_every_changed_bit_is_refused(disk: Disk) -> None:
    good = frame(0, 1)
    changed = [
        good[:at] + bytes([good[at] ^ 1 << bit]) + good[at + 1 :]
        for at in range(len(good))
        for bit in range(8)
    ]
    disk.take(*[arrival(each) for each in changed])
    assert disk.one("SELECT count(*) FROM reading") == 0
    assert sum(refused(disk).values()) == len(changed)
    assert set(refused(disk)) == {"bad_tag", "bad_version"}


def test_a_frame_cut_or_lengthened_anywhere_is_refused(disk: Disk) -> None:
    good = frame(0, 1, 2)
    tried = [good[:length] for length in range(len(good))] + [good + b"\0", good + good]
    disk.take(*[arrival(each) for each in tried])
    assert disk.one("SELECT count(*) FROM reading") == 0
    assert sum(refused(disk).values()) == len(tried)


def test_two_relays_that_hear_one_node_bring_each_reading_once(disk: Disk) -> None:
    disk.take(arrival(frame(0, 1)), arrival(frame(0, 1)))
    assert sorted(disk.sequences()) == [0, 1]
    assert refused(disk) == {"repeat": 1}


def test_other_readings_under_numbers_that_are_taken_are_refused(disk: Disk) -> None:
    disk.take(arrival(frame(0, 1)))
    forged = encode_uplink(
        NODE, KEY, Uplink(HEALTH, 1, False, (Reading(1, 0, Health((("battery_mv", 1),))),))
    )
    outcome = disk.take(arrival(forged))
    assert refused(disk) == {"identity_reused": 1}
    assert outcome.reports == []


def test_a_health_reading_played_back_does_not_stand_for_now(disk: Disk) -> None:
    old = said(Health((("config_version", 1),)), 0)
    assert len(disk.take(arrival(old)).reports) == 1
    # So many frames later that the gateway has forgotten the tag.
    disk.take(*[arrival(frame(n)) for n in range(1, 60)])
    again = disk.take(arrival(old, at_ms=LATER_MS))
    assert again.reports == []
    assert refused(disk) == {}
    assert disk.store.counters()["readings_known"] == 1


def test_an_answer_sent_again_still_counts_for_the_receipt_may_have_been_lost(disk: Disk) -> None:
    body = Answer(3_648_000, "done", 0)
    first = encode_uplink(NODE, KEY, Uplink(ANSWER, 1, False, (Reading(0, 0, body),)))
    later = encode_uplink(NODE, KEY, Uplink(ANSWER, 1, False, (Reading(0, 60, body),)))
    assert [report.body for report in disk.take(arrival(first)).reports] == [body]
    assert [report.body for report in disk.take(arrival(later)).reports] == [body]


def test_a_frame_by_another_nodes_key_is_refused(disk: Disk) -> None:
    disk.take(arrival(frame(0, key=OTHER_KEY)))
    assert refused(disk) == {"bad_tag": 1}
