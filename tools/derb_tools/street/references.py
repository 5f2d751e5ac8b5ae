"""Two published detectors to measure against: a fixed threshold and an adaptive baseline."""

from collections.abc import Iterator

import numpy as np

from derb_tools.street.trace import FREE, OCCUPIED, STATE_NAMES, Trace
from derb_tools.street.types import Flags, Floats, Ints

Change = tuple[int, str]

FIXED_THRESHOLD_UT = 5.0
CALIBRATION_S = 30.0
CONFIRMED_BY = 3
"""Samples in a row that make a decision."""
SMOOTHED_OVER = 4
BASELINE_S = 600.0
ADAPTIVE_THRESHOLD_UT = 4.0
RELEASE_SHARE = 0.7
STATE_BUFFER = 8


def fixed_threshold(trace: Trace) -> list[Change]:
    """Occupied while any axis is 5 uT (50 mG, Nedap SENSIT's default) off the vacant field of the start.

    The calibration survives restarts, as in a product that keeps it in flash.
    """
    field = trace.field_ut
    calibrated = trace.t_ms - trace.t_ms[0] <= CALIBRATION_S * 1000.0
    baseline = field[calibrated].mean(axis=0)
    over = (np.abs(field - baseline) > FIXED_THRESHOLD_UT).any(axis=1)
    return _changes(trace.t_ms, _confirmed(over))


def adaptive_baseline(trace: Trace) -> list[Change]:
    """The adaptive threshold detection algorithm (ATDA) of Cheung and Varaiya.

    Traffic Surveillance by Wireless Sensor Networks, UCB-ITS-PRR-2007-4, 4.3: smoothed readings; for each
    axis a baseline with a forgetting factor that moves only while the state machine and its buffer say
    "no vehicle"; a threshold about it; a count of samples before either decision. Theirs is for passing
    cars; the constants here are the best for parking among thresholds of 3 to 6 uT. A cold restart loses
    the baseline.
    """
    smooth = _smoothed(trace.field_ut)
    cold = np.zeros(len(trace.t_ms), np.bool_) if trace.restart is None else trace.restart == "cold"
    return _changes(trace.t_ms, np.fromiter(_atda(trace.t_ms, smooth, cold), np.int64, len(smooth)))


def _atda(t_ms: Ints, smooth: Floats, cold: Flags) -> Iterator[int]:
    baseline, state, against, quiet, last_ms = smooth[0].tolist(), FREE, 0, STATE_BUFFER, int(t_ms[0])
    for now_ms, reading, restarted in zip(t_ms.tolist(), smooth.tolist(), cold.tolist(), strict=True):
        if restarted:
            baseline, state, against, quiet = reading, FREE, 0, STATE_BUFFER
        off = max(abs(value - base) for value, base in zip(reading, baseline, strict=True))
        threshold = ADAPTIVE_THRESHOLD_UT * (RELEASE_SHARE if state == OCCUPIED else 1.0)
        seen = OCCUPIED if off > threshold else FREE
        against = against + 1 if seen != state else 0
        if against >= CONFIRMED_BY:
            state, against = seen, 0
        quiet = quiet + 1 if state == FREE and seen == FREE else 0
        if quiet >= STATE_BUFFER:
            share = 1.0 - np.exp(-(now_ms - last_ms) / (BASELINE_S * 1000.0))
            baseline = [base + share * (value - base) for value, base in zip(reading, baseline, strict=True)]
        last_ms = now_ms
        yield state


def _smoothed(field: Floats) -> Floats:
    """Moving average over the last readings."""
    total = np.cumsum(field, axis=0)
    out = total.copy()
    out[SMOOTHED_OVER:] -= total[:-SMOOTHED_OVER]
    counts = np.minimum(np.arange(1, len(field) + 1), SMOOTHED_OVER)
    smoothed: Floats = out / counts[:, None]
    return smoothed


def _confirmed(over: Flags) -> Ints:
    """A state changes when `CONFIRMED_BY` samples in a row say so."""
    state, against = FREE, 0
    states = np.empty(len(over), dtype=np.int64)
    for index, seen in enumerate(over.tolist()):
        against = against + 1 if seen != state else 0
        if against >= CONFIRMED_BY:
            state, against = int(seen), 0
        states[index] = state
    return states


def _changes(t_ms: Ints, states: Ints) -> list[Change]:
    """The first state and every change, as `derb replay` tells them."""
    at = np.concatenate([[0], np.flatnonzero(np.diff(states)) + 1])
    return [(int(t_ms[index]), STATE_NAMES[int(states[index])]) for index in at]


REFERENCES = {"fixed_threshold": fixed_threshold, "adaptive_baseline": adaptive_baseline}
