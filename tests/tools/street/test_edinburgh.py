"""Real containers of Edinburgh through the firmware's own level sensing."""

import pytest
from derb_tools.replay import replay_level
from derb_tools.street import level_trace
from derb_tools.street.edinburgh import curves
from derb_tools.street.level import LevelTrace
from derb_tools.street.level_score import score_level
from derb_tools.trace_samples import LevelSample

DAYS = 20.0
BINS = range(0, len(curves()), max(1, len(curves()) // 6))


def samples(trace: LevelTrace) -> list[LevelSample]:
    rows = zip(trace.t_ms.tolist(), trace.echo_us.tolist(), trace.temp_c100.tolist(), strict=True)
    return [LevelSample(t_ms, tuple(pings), temp) for t_ms, pings, temp in rows]


@pytest.mark.parametrize("seed", BINS)
def test_real_fill_curves_are_followed_and_their_collections_found(seed: int) -> None:
    trace = level_trace("edinburgh", seed, days=DAYS)
    figures = score_level(trace.truth, list(replay_level(samples(trace), trace.empty_mm, trace.full_mm)))
    assert figures.mae_pct_of_depth is not None
    assert figures.p95_pct_of_depth is not None
    assert figures.mae_pct_of_depth <= 1.0
    assert figures.p95_pct_of_depth <= 2.5
    assert figures.collections >= 3
    assert figures.collection_f1 == pytest.approx(1.0, abs=0.1)
    assert figures.false_fulls == 0
    assert figures.normal_status_pct is not None
    assert figures.normal_status_pct >= 98.0


def test_micropython_and_cpython_say_the_same_of_a_real_container() -> None:
    trace = level_trace("edinburgh", 1, days=DAYS)
    readings = samples(trace)
    said = [
        list(replay_level(readings, trace.empty_mm, trace.full_mm, interpreter))
        for interpreter in ("unix", "cpython")
    ]
    assert said[0] == said[1]
    assert any("collected" in answer for answer in said[0])


def test_readings_say_collected_only_where_it_is_news() -> None:
    trace = level_trace("edinburgh", 2, days=DAYS)
    answers = list(replay_level(samples(trace), trace.empty_mm, trace.full_mm))
    told = [answer for answer in answers if "collected" in answer]
    assert 0 < len(told) < len(answers) / 10
    assert all(answer["collected"] is True for answer in told)
