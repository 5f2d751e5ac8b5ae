"""The two clocks."""

import time

from derb_gateway.clock import Clock, SimulatedClock, iso_utc, kernel_clock_synchronised


def test_a_simulated_street_runs_faster_and_everyone_agrees_on_it() -> None:
    real_ms = time.time_ns() // 1_000_000
    clock = SimulatedClock(1_000_000, real_ms - 2_000, 60.0)
    assert 1_120_000 <= clock.wall_ms() < 1_180_000
    assert clock.synchronised()


def test_the_kernel_is_asked_and_the_answer_kept_a_while() -> None:
    clock = Clock()
    assert clock.synchronised() is kernel_clock_synchronised()
    assert clock.synchronised() is clock.synchronised()


def test_iso_utc() -> None:
    assert iso_utc(0) == "1970-01-01T00:00:00.000Z"
    assert iso_utc(1_795_000_000_123) == "2026-11-18T11:06:40.123Z"
    assert iso_utc(-1) == "1969-12-31T23:59:59.999Z"
