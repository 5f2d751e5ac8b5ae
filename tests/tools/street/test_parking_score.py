"""Scores of recordings small enough to reckon by hand."""

import numpy as np
import pytest
from derb_tools.street import score_parking
from derb_tools.street.trace import Truth

MINUTE = 60_000


def truth(*rows: tuple[int, int, bool, str, str], end_min: int = 100) -> Truth:
    """Rows: minute, state, excluded, vehicle, note."""
    minute, state, excluded, vehicle, note = zip(*rows, strict=True)
    return Truth(
        np.array(minute) * MINUTE,
        np.array(state),
        np.array(excluded),
        np.array(vehicle, dtype=object),
        np.array(note, dtype=object),
        end_min * MINUTE,
    )


# Free for 40 minutes, occupied for 40, free for 20.
ONE_CAR = truth((0, 0, False, "", ""), (40, 1, False, "sedan", ""), (80, 0, False, "", ""))


def test_a_perfect_detector_scores_a_hundred() -> None:
    figures = score_parking(ONE_CAR, [(0, "free"), (40 * MINUTE, "occupied"), (80 * MINUTE, "free")])
    assert figures.balanced_accuracy_pct == figures.balanced_accuracy_strict_pct == 100.0
    assert figures.longest_wrong_s == 0.0
    assert figures.transitions_ratio == 1.0
    assert figures.ghosts_per_1000 == figures.missed_per_1000 == 0.0
    assert figures.latency_median_s == 0.0


def test_each_state_counts_half_whatever_its_length() -> None:
    figures = score_parking(ONE_CAR, [(0, "free")])
    assert figures.balanced_accuracy_pct == 50.0
    assert figures.longest_wrong_s == 40 * 60
    assert figures.missed_per_1000 == 1000.0
    assert figures.transitions_ratio == 0.0


def test_unknown_is_set_apart_and_in_the_strict_figure_wrong() -> None:
    said = [(0, "free"), (30 * MINUTE, "unknown"), (60 * MINUTE, "occupied"), (80 * MINUTE, "free")]
    figures = score_parking(ONE_CAR, said)
    assert figures.balanced_accuracy_pct == 100.0
    assert figures.balanced_accuracy_strict_pct == pytest.approx((100 * 50 / 60 + 50) / 2)
    assert figures.unknown_pct == pytest.approx(30.0)
    assert figures.longest_wrong_s == 0.0


def test_before_its_first_word_a_detector_is_unknown() -> None:
    figures = score_parking(
        ONE_CAR, [(20 * MINUTE, "free"), (40 * MINUTE, "occupied"), (80 * MINUTE, "free")]
    )
    assert figures.unknown_pct == pytest.approx(20.0)
    assert figures.transitions_ratio == 1.0


def test_latency_is_counted_from_the_stop() -> None:
    figures = score_parking(
        ONE_CAR, [(0, "free"), (40 * MINUTE + 4000, "occupied"), (80 * MINUTE + 10_000, "free")]
    )
    assert figures.latency_median_s == 7.0
    assert figures.latency_p95_s == pytest.approx(9.7)


def test_a_word_during_the_manoeuvre_is_no_ghost() -> None:
    with_manoeuvre = truth(
        (0, 0, False, "", ""), (39, 0, True, "van", "arriving"), (40, 1, False, "van", ""), end_min=80
    )
    figures = score_parking(with_manoeuvre, [(0, "free"), (39 * MINUTE + 30_000, "occupied")])
    assert figures.balanced_accuracy_pct == 100.0
    assert figures.ghosts_per_1000 == 0.0
    assert figures.latency_median_s == 0.0


def test_ghosts_and_late_words_are_counted() -> None:
    said = [(0, "free"), (10 * MINUTE, "occupied"), (11 * MINUTE, "free"), (50 * MINUTE, "occupied")]
    figures = score_parking(ONE_CAR, [*said, (80 * MINUTE, "free")])
    # Both changes of the ghost, and the arrival told ten minutes late.
    assert figures.ghosts_per_1000 == 1500.0
    assert figures.missed_per_1000 == 500.0
    assert figures.transitions_ratio == 2.0


def test_what_is_not_judged_neither_ends_nor_lengthens_a_wrong_stretch() -> None:
    faulty = truth((0, 0, False, "", ""), (10, 0, True, "", "stuck"), (20, 0, False, "", ""), end_min=30)
    figures = score_parking(faulty, [(0, "occupied")])
    assert figures.longest_wrong_s == 20 * 60
    assert figures.fault_wrong_pct == 100.0


def test_weak_vehicles_are_reported_apart() -> None:
    weak = truth((0, 0, False, "", ""), (50, 1, False, "motorcycle", ""))
    figures = score_parking(weak, [(0, "free")])
    assert figures.balanced_accuracy_pct == 50.0
    assert figures.strong_balanced_accuracy_pct == 100.0
    assert figures.strong_longest_wrong_s == 0.0
    assert figures.missed_per_1000 == 1000.0
    assert figures.strong_missed_per_1000 is None


def test_a_gap_too_short_to_tell_need_not_be_told() -> None:
    swap = Truth(
        np.array([0, 600_000, 1_200_000, 1_210_000]),
        np.array([0, 1, 0, 1]),
        np.zeros(4, dtype=bool),
        np.array(["", "sedan", "", "suv"], dtype=object),
        np.full(4, "", dtype=object),
        1_800_000,
    )
    figures = score_parking(swap, [(0, "free"), (600_000, "occupied")])
    assert figures.true_transitions == 1
    assert figures.missed_per_1000 == 0.0
    told = score_parking(
        swap, [(0, "free"), (600_000, "occupied"), (1_203_000, "free"), (1_213_000, "occupied")]
    )
    assert told.ghosts_per_1000 == 0.0
    assert told.transitions_ratio == 1.0


def test_a_word_that_is_no_state_is_refused() -> None:
    with pytest.raises(ValueError, match="vacant"):
        score_parking(ONE_CAR, [(0, "vacant")])
