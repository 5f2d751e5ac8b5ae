"""When a node samples."""

import numpy as np

from derb_tools.street.scenario import IRREGULAR, ON_CHANGE, Street
from derb_tools.street.types import Flags, Floats, Ints, drawn

JITTER_S = 0.004
BURST_S = 20.0
CHANGE_NT = 3000
WATCH_PERIOD_S = 1.0


def sample_times_s(rng: np.random.Generator, street: Street, span_s: float) -> tuple[Floats, float]:
    """Times on whole milliseconds, and the period; what wakes on change is watched at 1 Hz first."""
    period = drawn(rng, street.period_s)
    if street.sampling == IRREGULAR:
        steps = np.clip(period * np.exp(0.7 * rng.normal(size=int(span_s / period * 1.6) + 20)), 0.1, 30.0)
        times = np.concatenate([[0.0], np.cumsum(steps)])
    else:
        step = WATCH_PERIOD_S if street.sampling == ON_CHANGE else period
        count = int(np.ceil(span_s / step))
        times = np.arange(count) * step
        times[1:] += np.clip(rng.normal(0.0, JITTER_S, count - 1), -0.3 * step, 0.3 * step)
    return np.round(times[times < span_s], 3), period


def on_change(t_s: Floats, field_nt: Ints, heartbeat_s: float) -> Flags:
    """Which of the watched samples a sleeping node sees: heartbeats, and each second after a change."""
    kept = np.zeros(len(t_s), dtype=np.bool_)
    last_t, burst_until, last = -np.inf, -np.inf, field_nt[0]
    changed = np.zeros(3, dtype=np.int64)
    for index in range(len(t_s)):
        changed = np.abs(field_nt[index] - last)
        woken = bool((changed > CHANGE_NT).any())
        if woken:
            burst_until = t_s[index] + BURST_S
        if woken or t_s[index] <= burst_until or t_s[index] - last_t >= heartbeat_s:
            kept[index], last_t, last = True, t_s[index], field_nt[index]
    return kept
