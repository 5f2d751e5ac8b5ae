from derb_tools.street import REFERENCES, parking_trace, score_parking


def test_references_are_nearly_right_in_a_calm_street_and_lost_under_drift() -> None:
    for name, reference in REFERENCES.items():
        calm, drifting = [], []
        for seed in (1, 2, 3):
            for scenario, scores in (("nominal_parallel", calm), ("cold_front_drift", drifting)):
                trace = parking_trace(scenario, seed, 1.0, period_s=2.0)
                scores.append(score_parking(trace.truth, reference(trace)).balanced_accuracy_pct or 0.0)
        assert sum(calm) / 3 > 90.0, name
        assert sum(drifting) / 3 < 85.0, name
