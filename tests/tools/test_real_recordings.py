"""Real recordings go the way of all recordings: a metro's disturbance over a bay, the fill curves of real bins."""

import json
from pathlib import Path

from tools.command import run_derb


def _scored(trace: Path) -> dict[str, float]:
    scored = run_derb("score", trace)
    assert scored.returncode == 0, scored.stderr
    figures: dict[str, float] = json.loads(scored.stdout.splitlines()[0])
    return figures


def test_a_real_metro_over_a_bay_goes_through_replay(tmp_path: Path) -> None:
    trace = tmp_path / "metro.csv"
    assert (
        run_derb(
            "simulate", "parking", "--scenario", "metro_0p3", "--days", "0.5", "--seed", "3", "--out", trace
        ).returncode
        == 0
    )
    replayed = run_derb("replay", "parking", trace)
    assert replayed.returncode == 0, replayed.stderr
    changes = [json.loads(line) for line in replayed.stdout.splitlines()]
    assert {change["state"] for change in changes} >= {"free", "occupied"}
    assert _scored(trace)["balanced_accuracy_pct"] > 80


def test_real_fill_curves_go_through_replay(tmp_path: Path) -> None:
    trace = tmp_path / "edinburgh.csv"
    assert (
        run_derb(
            "simulate", "level", "--scenario", "edinburgh", "--days", "4", "--seed", "3", "--out", trace
        ).returncode
        == 0
    )
    replayed = run_derb("replay", "level", trace, "--empty-mm", "1000", "--full-mm", "300")
    assert replayed.returncode == 0, replayed.stderr
    assert sum(json.loads(line)["status"] == "ok" for line in replayed.stdout.splitlines()) > 50
    assert _scored(trace)["collection_f1"] > 0.8
