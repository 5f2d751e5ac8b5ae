"""The intake's promises: kept once, confirmed only what is kept, refused with a reason, and never a crash."""

from dataclasses import replace
from pathlib import Path

import pytest
from derb_gateway.downlink import Range
from derb_gateway.intake import Limits
from derb_gateway.readings import LEVEL, PARKING, Level, Reading, Uplink
from derb_gateway.registry import Term
from derb_gateway.waiting_room import waiting_nodes
from derb_tools.wire import encode_uplink
from gateway.kit import KEY, NODE, NOW_MS, OTHER, OTHER_KEY, STRANGER, Disk, arrival, frame, parking
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path / "derb.sqlite3")


@pytest.fixture(autouse=True)
def _closed(disk: Disk) -> object:
    yield
    disk.store.close()


def counters(disk: Disk) -> dict[str, int]:
    return {name: n for name, n in disk.store.counters().items() if n}


def test_a_frame_is_stored_oldest_first_and_confirmed(disk: Disk) -> None:
    outcome = disk.take(arrival(frame(3, 4, 5, age_s=2)))
    assert disk.sequences() == [3, 4, 5]
    assert outcome.ranges == {NODE: [Range(1, 3, 5)]}
    assert outcome.last_id == disk.store.last_id()
    times = disk.store.db.execute("SELECT observed_ms, error_ms FROM reading ORDER BY seq DESC").fetchall()
    assert times == [(NOW_MS - 2_000, 0), (NOW_MS - 12_000, 0), (NOW_MS - 22_000, 0)]


def test_a_reading_is_kept_once_across_frames_and_restarts(disk: Disk) -> None:
    disk.take(arrival(frame(0, 1)))
    disk.reopen()
    outcome = disk.take(arrival(frame(1, 2, 3, age_s=5)), arrival(frame(3, age_s=9)))
    assert disk.sequences() == [0, 1, 2, 3]
    assert outcome.ranges == {NODE: [Range(1, 0, 3)]}
    assert counters(disk)["readings_known"] == 2


def test_what_was_pruned_is_still_known(disk: Disk) -> None:
    disk.take(arrival(frame(0, 1, 2)))
    disk.store.prune(0, [])
    disk.reopen()
    outcome = disk.take(arrival(frame(1, age_s=7)))
    assert disk.sequences() == []
    assert outcome.ranges == {NODE: [Range(1, 0, 2)]}


def test_a_receipt_never_covers_a_gap(disk: Disk) -> None:
    disk.take(arrival(frame(0, 1)))
    outcome = disk.take(arrival(frame(5)), arrival(frame(0, boot=2)))
    assert outcome.ranges == {NODE: [Range(2, 0, 0), Range(1, 5, 5), Range(1, 0, 1)]}
    outcome = disk.take(arrival(frame(2, 3, 4)))
    assert outcome.ranges == {NODE: [Range(1, 0, 5), Range(2, 0, 0)]}


def test_the_very_same_bytes_are_a_repeat_and_get_their_receipt(disk: Disk) -> None:
    disk.take(arrival(frame(0)))
    for _ in range(3):
        outcome = disk.take(arrival(frame(0)))
        assert outcome.ranges == {NODE: [Range(1, 0, 0)]}
    assert counters(disk)["refused.repeat"] == 3
    assert disk.one("SELECT count FROM quarantine WHERE reason = 'repeat'") == 3
    assert disk.sequences() == [0]


def other_life(*sequences: int, age_s: int = 0) -> bytes:
    readings = parking(*sequences, age_s=age_s, state="free")
    return encode_uplink(NODE, KEY, Uplink(PARKING, 1, False, readings))


def test_another_reading_under_a_known_identity_is_no_repeat_and_gets_no_receipt(
    disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    disk.take(arrival(frame(0, 1, 2, 3)))
    second = other_life(0, 1)
    for _ in range(2):
        assert disk.take(arrival(second)).ranges == {NODE: [Range(1, 2, 3)]}
    assert counters(disk)["refused.identity_reused"] == 2
    assert "refused.repeat" not in counters(disk)
    assert disk.one("SELECT count FROM quarantine WHERE reason = 'identity_reused'") == 2
    assert caplog.messages.count("identity reused") == 1
    assert disk.take(arrival(other_life(2, 3, 4, age_s=5))).ranges == {NODE: [Range(1, 4, 4)]}
    assert disk.sequences() == [0, 1, 2, 3, 4]  # 4 is nobody else's


def test_two_lives_in_one_batch_and_after_a_restart(disk: Disk) -> None:
    assert disk.take(arrival(frame(0)), arrival(other_life(0))).ranges == {NODE: []}
    disk.reopen()
    assert disk.take(arrival(other_life(0, 1), dup=True)).ranges == {NODE: [Range(1, 1, 1)]}
    assert disk.sequences() == [0, 1]


def test_a_known_identity_of_another_kind_is_another_reading(disk: Disk) -> None:
    disk.take(arrival(frame(0)))
    level = Uplink(LEVEL, 1, False, (Reading(0, 0, Level("ok", 812)),))
    assert disk.take(arrival(encode_uplink(NODE, KEY, level))).ranges == {NODE: []}


def test_what_is_known_and_gone_cannot_be_compared(disk: Disk) -> None:
    disk.take(arrival(frame(0)))
    disk.store.prune(0, [])
    assert disk.take(arrival(other_life(0))).ranges == {NODE: [Range(1, 0, 0)]}


def test_reuse_is_told_again_after_an_hour(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disk.take(arrival(frame(0)))
    for minutes in (0, 59, 61, 62):
        disk.take(arrival(other_life(0, age_s=minutes), at_ms=NOW_MS + minutes * 60_000))
    assert caplog.messages.count("identity reused") == 2


@pytest.mark.parametrize("again", [{"dup": True}, {"error_ms": 5_000}, {"error_ms": None}])
def test_what_the_broker_repeats_is_not_the_node_s_repeat(disk: Disk, again: dict[str, object]) -> None:
    disk.take(arrival(frame(0)))
    disk.take(arrival(frame(0), **again))  # type: ignore[arg-type]
    assert "refused.repeat" not in counters(disk)


def test_each_refusal_is_counted_by_its_reason_and_kept(disk: Disk) -> None:
    good = frame(0)
    refused = {
        "bad_topic": arrival(good, topic="d/240AC4A1B2C3/u"),
        "too_long": arrival(b"x" * 1_000_000),
        "too_short": arrival(b"x" * 12),
        "bad_version": arrival(bytes([good[0] ^ 0x60]) + good[1:]),
        "unknown_node": arrival(good, node=STRANGER),
        "bad_tag": arrival(good, node=OTHER),
    }
    outcome = disk.take(*refused.values())
    assert outcome.ranges == {}
    assert counters(disk) == {"frames": 6, **{f"refused.{reason}": 1 for reason in refused}}
    kept = dict(disk.store.db.execute("SELECT reason, length FROM quarantine"))
    assert kept == {reason: each.length for reason, each in refused.items() if reason != "unknown_node"}
    assert disk.one("SELECT max(length(raw)) FROM quarantine") == 512


def test_a_stranger_waits_until_the_operator_lets_it_in_and_then_its_frames_count_from_when_they_came(
    disk: Disk,
) -> None:
    for seq in (0, 1):
        frame_ = frame(seq, node=STRANGER, key=OTHER_KEY)
        disk.take(arrival(frame_, node=STRANGER, at_ms=NOW_MS + 60_000 * seq, error_ms=7))
    (guest,) = waiting_nodes(disk.store.db)
    assert (guest.node, guest.first_ms, guest.last_ms, guest.frames) == (STRANGER, NOW_MS, NOW_MS + 60_000, 2)
    assert disk.one("SELECT count(*) FROM quarantine") == 0
    disk.reopen()
    disk.intake.registry.keys[STRANGER] = OTHER_KEY
    assert disk.let_in().ranges == {STRANGER: [Range(1, 0, 1)]}
    assert waiting_nodes(disk.store.db) == []
    assert disk.one("SELECT count(*) FROM waiting_frame") == 0
    times = disk.store.db.execute("SELECT observed_ms, error_ms FROM reading ORDER BY seq").fetchall()
    assert times == [(NOW_MS, 7), (NOW_MS + 60_000, 7)]
    disk.take(arrival(frame(0, node=STRANGER, key=OTHER_KEY, age_s=90), node=STRANGER, at_ms=NOW_MS + 90_000))
    assert disk.sequences(STRANGER) == [0, 1]


def test_a_stranger_that_is_let_in_with_another_key_leaves_its_frames_as_evidence(disk: Disk) -> None:
    disk.take(arrival(frame(0, node=STRANGER, key=OTHER_KEY), node=STRANGER))
    disk.intake.registry.keys[STRANGER] = KEY
    assert disk.let_in().ranges == {}
    assert disk.one("SELECT reason FROM quarantine") == "bad_tag"
    assert disk.one("SELECT count(*) FROM waiting_frame") == 0


def test_a_node_that_was_replaced_is_refused_after_its_grace_and_does_not_wait_for_anybody(
    disk: Disk,
) -> None:
    registry = replace(disk.intake.registry, terms={NODE: Term(0, NOW_MS, NOW_MS + 1000)})
    disk.intake.registry = registry.without_keys(registry.expired(NOW_MS + 1000))
    disk.take(arrival(frame(0)))
    assert counters(disk) == {"frames": 1, "refused.key_revoked": 1}
    assert disk.store.db.execute("SELECT * FROM waiting").fetchall() == []


def test_a_time_gets_surer_until_it_is_forwarded(disk: Disk) -> None:
    def time() -> object:
        return disk.store.db.execute("SELECT observed_ms, error_ms, lower_bound FROM reading").fetchone()

    disk.take(arrival(frame(0, age_s=100, bound=True)))
    assert time() == (NOW_MS - 100_000, None, 1)
    disk.take(arrival(frame(0, age_s=200), error_ms=30_000))
    assert time() == (NOW_MS - 200_000, 32_000, 0)
    disk.take(arrival(frame(0, age_s=220)))
    assert time() == (NOW_MS - 220_000, 2_000, 0)
    assert counters(disk)["times_refined"] == 2

    disk.take(arrival(frame(1, age_s=7), error_ms=30_000))
    disk.store.save_cursor("city", disk.store.last_id(), None)
    disk.take(arrival(frame(1, age_s=8)))
    assert counters(disk)["times_refined"] == 2


def test_a_recorded_frame_sent_again_later_moves_no_time(disk: Disk) -> None:
    recorded = frame(0, age_s=3)
    disk.take(arrival(recorded, error_ms=30_000))
    disk.take(arrival(recorded, at_ms=NOW_MS + 10_000))
    assert disk.store.db.execute("SELECT observed_ms, error_ms FROM reading").fetchone() == (
        NOW_MS - 3_000,
        30_000,
    )


def test_a_rollback_leaves_nothing_in_memory(disk: Disk) -> None:
    disk.take(arrival(frame(0)))
    disk.store.db.execute("BEGIN IMMEDIATE")
    disk.intake.take(disk.store, [arrival(frame(1)), arrival(b"x")])
    disk.store.db.execute("ROLLBACK")
    disk.intake.forget()
    outcome = disk.take(arrival(frame(1)), arrival(b"x"))
    assert outcome.ranges == {NODE: [Range(1, 0, 1)]}
    assert disk.sequences() == [0, 1]
    assert disk.one("SELECT count(*) FROM quarantine") == 1
    assert "refused.repeat" not in counters(disk)


def test_a_bug_in_the_decoder_is_counted_and_holds_up_nobody(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> object:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr("derb_gateway.intake.decode_uplink", broken)
        disk.take(arrival(frame(0)))
    disk.take(arrival(frame(1)))
    assert counters(disk)["refused.decoder_failed"] == 1
    assert disk.sequences() == [1]
    assert "decoder failed" in caplog.text


def flipped(bits: list[int]) -> bytes:
    raw = bytearray(frame(0, 1, 2))
    for bit in bits:
        raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    return bytes(raw)


junk = st.one_of(
    st.binary(max_size=300),
    st.binary(min_size=241, max_size=600),
    st.integers(0, len(frame(0, 1, 2)) - 1).map(lambda cut: frame(0, 1, 2)[:cut]),
    st.lists(st.integers(0, 500), min_size=1, max_size=3).map(flipped),
    st.binary(min_size=1, max_size=8).map(lambda tail: frame(0, 1, 2) + tail),
)
topics = st.one_of(
    st.sampled_from([f"d/{NODE}/u", f"d/{OTHER}/u", f"d/{STRANGER}/u", "d//u", f"d/{NODE.upper()}/u"]),
    st.text(max_size=40),
)
BATCH = 50


@settings(max_examples=220, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(junk, topics), min_size=BATCH, max_size=BATCH))
def test_eleven_thousand_bad_frames_are_counted_and_the_next_good_one_is_stored(
    tmp_path_factory: pytest.TempPathFactory, bad: list[tuple[bytes, str]]
) -> None:
    disk = BadInput.disk or BadInput.open(tmp_path_factory.mktemp("junk") / "derb.sqlite3")
    before = disk.store.counters()
    disk.take(*(arrival(raw, topic=topic) for raw, topic in bad))
    after = disk.store.counters()
    refused = {name: n - before[name] for name, n in after.items() if name.startswith("refused.")}
    stored = (
        after["readings_stored"]
        - before["readings_stored"]
        + after["readings_known"]
        - before["readings_known"]
    )
    assert after["frames"] - before["frames"] == BATCH
    lucky = BATCH - sum(refused.values()) + refused.get("refused.repeat", 0)  # flips that undo each other
    assert stored == 3 * lucky
    assert "refused.decoder_failed" not in refused
    BadInput.good += 1
    disk.take(arrival(frame(BadInput.good, boot=7)))
    assert disk.sequences(boot=7) == list(range(1, BadInput.good + 1))


class BadInput:
    """One store for all of hypothesis's examples."""

    disk: Disk | None = None
    good = 0

    @classmethod
    def open(cls, path: Path) -> Disk:
        cls.disk = Disk(path, Limits(quarantine_rows=500, quarantine_bytes=100_000, waiting=50))
        return cls.disk


def test_after_all_that_the_quarantine_is_within_its_bounds() -> None:
    disk = BadInput.disk
    assert disk is not None
    counts = disk.store.counters()
    assert counts["frames"] >= 10_000 + BadInput.good
    for reason in ("bad_topic", "too_long", "too_short", "bad_version", "unknown_node", "bad_tag"):
        assert counts[f"refused.{reason}"] > 0, reason
    assert int(str(disk.one("SELECT count(*) FROM quarantine"))) <= 500
    assert int(str(disk.one("SELECT sum(length(raw)) FROM quarantine"))) <= 100_000
    assert int(str(disk.one("SELECT count(*) FROM waiting"))) <= 50
    disk.store.close()


def test_the_key_of_another_node_is_a_wrong_key(disk: Disk) -> None:
    disk.take(arrival(frame(0, key=OTHER_KEY)), arrival(frame(0, node=OTHER, key=KEY), node=OTHER))
    assert counters(disk)["refused.bad_tag"] == 2
