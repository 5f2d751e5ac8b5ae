"""Scores of a container reckoned by hand: 1,000 mm when empty, 200 when full."""

import numpy as np
import pytest
from derb_tools.errors import RecordingError
from derb_tools.street.level_score import score_level
from derb_tools.street.level_truth import LevelTruth

HOUR = 3_600_000
COUNT = 10


def truth(fault: str = "", accepted: str = "ok", collected_at: int | None = None) -> LevelTruth:
    """Fills by 8 points (64 mm) a reading; emptied before the reading `collected_at`."""
    fill = 8.0 * np.arange(COUNT)
    collected, fell = np.full(COUNT, "", dtype=object), np.zeros(COUNT)
    if collected_at is not None:
        collected[collected_at], fell[collected_at] = "full", fill[collected_at]
        fill[collected_at:] -= fill[collected_at]
    return LevelTruth(
        np.arange(COUNT) * HOUR, 1000.0 - 8.0 * fill, fill, collected, fell,
        np.full(COUNT, fault, dtype=object), np.full(COUNT, accepted, dtype=object), 1000, 200,
    )  # fmt: skip


def answers(known: LevelTruth, off_mm: float = 0.0, **changed: object) -> list[dict[str, object]]:
    return [
        {
            "t_ms": int(t),
            "status": "ok",
            "distance_mm": surface + off_mm,
            "level_pct": (1000.0 - surface - off_mm) / 8.0,
            **changed,
        }
        for t, surface in zip(known.t_ms, known.surface_mm, strict=True)
    ]


def test_distances_are_judged_in_percent_of_the_depth() -> None:
    figures = score_level(truth(), answers(truth(), off_mm=12.0))
    assert figures.mae_pct_of_depth == pytest.approx(1.2)
    assert figures.p95_pct_of_depth == pytest.approx(1.2)
    assert figures.fill_rms_pct == pytest.approx(1.5)
    assert figures.normal_status_pct == 100.0


def test_a_fall_between_two_readings_is_a_collection() -> None:
    known = truth(collected_at=6)
    assert score_level(known, answers(known)).collection_f1 == 1.0


def test_a_detector_that_names_collections_is_taken_at_its_word() -> None:
    known = truth(collected_at=6)
    assert score_level(known, answers(known, collected=False)).collection_f1 == 0.0
    named = answers(known, collected=False)
    named[7]["collected"] = True
    assert score_level(known, named).collection_f1 == 1.0
    named[2]["collected"] = True
    assert score_level(known, named).collection_f1 == pytest.approx(2 / 3)


def test_a_false_full_is_counted_once_while_it_lasts() -> None:
    said = answers(truth())
    for index in (1, 2, 5):
        said[index].update(status="too_close", distance_mm=None, level_pct=None)
    figures = score_level(truth(), said)
    assert figures.false_fulls == 2
    assert figures.normal_status_pct == 70.0


@pytest.mark.parametrize(
    ("fault", "accepted", "status", "right"),
    [
        ("unplugged", "no_echo", "no_echo", 100.0),
        ("unplugged", "no_echo", "ok", 0.0),
        ("wall_echo", "unstable|ok", "ok", 0.0),
        ("wall_echo", "unstable|ok", "unstable", 100.0),
    ],
)
def test_under_a_fault_only_a_right_distance_may_be_ok(
    fault: str, accepted: str, status: str, right: float
) -> None:
    known = truth(fault, accepted)
    figures = score_level(known, answers(known, off_mm=80.0, status=status))
    assert figures.fault_status_pct == {fault: right}
    assert figures.bad_levels_in_faults == (COUNT if status == "ok" else 0)
    assert figures.mae_pct_of_depth is None


def test_answers_of_another_recording_are_refused() -> None:
    with pytest.raises(RecordingError, match="answers for 10 readings"):
        score_level(truth(), answers(truth())[:-1])


def counts(known: LevelTruth, *named_at: int) -> tuple[int, int, int]:
    named = answers(known, collected=False)
    for index in named_at:
        named[index]["collected"] = True
    figures = score_level(known, named)
    return figures.collections_found, figures.collections_missed, figures.collections_wrong


def test_an_emptying_that_no_two_readings_show_is_not_missed() -> None:
    known = truth(collected_at=6)
    known.fill_pct[6:] = known.fill_pct[5]  # filled up again before the next reading
    assert counts(known) == (0, 0, 0)
    assert counts(known, 6) == (1, 0, 0)
    known = truth(collected_at=6)
    known.fault[6:] = "unplugged"
    assert counts(known) == (0, 0, 0), "nobody looked afterwards"


def test_an_emptying_behind_a_fault_counts_when_a_reading_shows_it_afterwards() -> None:
    known = truth(collected_at=6)
    known.fault[4:8] = "foam"
    assert known.fill_pct[3] - known.fill_pct[8] < 15
    assert counts(known) == (0, 0, 0)
    known.fill_pct[3] = 60.0
    assert counts(known) == (0, 1, 0)
    assert counts(known, 8) == (1, 0, 0)


def test_one_answer_stands_for_the_later_of_two_emptyings_between_readings() -> None:
    known = truth(collected_at=7)
    known.fault[5:7] = "foam"
    known.collected[5], known.fell_pct[5] = "full", 40.0
    assert counts(known) == (0, 1, 0)
    assert counts(known, 7) == (1, 0, 0)
    assert counts(known, 7, 8) == (2, 0, 0), "both may be named"
