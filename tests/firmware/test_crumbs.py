"""The note of a wake: a wake that died is known to have, counts cost levels and orderly wakes win them back."""

from derb import crumbs
from derb.crumbs import Crumbs
from derb.memory import Memory
from test_outbox import Rtc

INTERPRETERS = ("unix64", "wasm32")  # it counts in ticks


def _next(rtc):
    return Crumbs(Memory(rtc))


def test_a_wake_that_said_it_sleeps_has_not_died():
    rtc = Rtc()
    assert _next(rtc).cold
    wake = _next(rtc)
    wake.enter(crumbs.SENSE)
    wake.leave()
    after = _next(rtc)
    assert not after.cold and not after.died and after.failures == 0


def test_a_wake_that_died_says_where():
    for phase in range(1, crumbs.PHASES):
        rtc = Rtc()
        _next(rtc).enter(phase)
        after = _next(rtc)
        assert after.died and after.failed_in == phase and after.cause == crumbs.DIED and after.failures == 1


def test_exceptions_are_told_apart():
    for error, cause in (
        (ValueError(), crumbs.RAISED),
        (MemoryError(), crumbs.NO_MEMORY),
        (KeyboardInterrupt(), crumbs.INTERRUPTED),
        (SystemExit(), crumbs.INTERRUPTED),
    ):
        rtc = Rtc()
        wake = _next(rtc)
        wake.enter(crumbs.RADIO)
        wake.caught(error)
        after = _next(rtc)
        assert not after.died and after.cause == cause and after.failed_in == crumbs.RADIO


def test_failures_lead_through_the_levels_and_orderly_wakes_lead_back():
    rtc = Rtc()
    levels = []
    for _ in range(10):
        wake = _next(rtc)
        levels.append(wake.level)
        wake.enter(crumbs.SENSE)
        wake.caught(ValueError())
    assert levels == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    for _ in range(20):
        wake = _next(rtc)
        wake.enter(crumbs.SLEEP)
        wake.leave()
    assert _next(rtc).level == crumbs.FULL


def test_the_rest_after_a_failure_doubles_up_to_six_hours():
    rtc = Rtc()
    rests = []
    for _ in range(14):
        wake = _next(rtc)
        wake.enter(crumbs.SENSE)
        wake.caught(ValueError())
        low, high = wake.rest_ms(0), wake.rest_ms(65535)
        assert low * 2 <= high + 2000
        rests.append(high // 1000)
    assert rests[:4] == [60, 120, 240, 480]
    assert max(rests) == 21600 and rests == sorted(rests)


def test_any_note_is_survived_and_any_flipped_bit_is_a_cold_start():
    rtc = Rtc()
    wake = _next(rtc)
    wake.enter(crumbs.RADIO)
    whole = rtc.memory()
    for at in range(2016, 2028):
        for bit in range(8):
            changed = bytearray(whole)
            changed[at] ^= 1 << bit
            rtc.memory(changed)
            assert _next(rtc).cold, (at, bit)
    for garbage in (b"", b"\xff" * 2048, bytes(range(256)) * 8, b"\xc7" * 2048):
        rtc.memory(garbage)
        assert _next(rtc).cold
