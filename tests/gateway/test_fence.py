"""Fences: how long a message may have lain in the broker."""

from derb_gateway.fence import Fence
from gateway.kit import NOW_MS, StillClock


def settled(clock: StillClock) -> Fence:
    fence = Fence(clock, NOW_MS - 60_000)
    fence.came_back(fence.send() or b"")
    return fence


def test_before_the_fence_is_back_a_message_may_be_as_old_as_our_absence() -> None:
    clock = StillClock()
    fence = Fence(clock, NOW_MS - 60_000)
    assert fence.error_ms() == 60_000
    nonce = fence.send()
    clock.pass_s(0.5)
    assert fence.error_ms() == 60_500
    assert nonce is not None
    assert fence.came_back(nonce) == NOW_MS
    assert fence.error_ms() == 0


def test_nobody_knows_when_we_were_last_there() -> None:
    assert Fence(StillClock(), None).error_ms() is None


def test_an_absence_of_less_than_a_second_is_none() -> None:
    assert Fence(StillClock(), NOW_MS - 900).error_ms() == 0


def test_a_wall_clock_that_was_set_back_proves_nothing() -> None:
    assert Fence(StillClock(), NOW_MS + 5_000).error_ms() is None


def test_a_fence_that_stays_out_means_that_messages_wait() -> None:
    clock = StillClock()
    fence = settled(clock)
    clock.pass_s(5)
    nonce = fence.send()
    clock.pass_s(0.9)
    assert fence.error_ms() == 0
    clock.pass_s(0.2)
    assert fence.error_ms() == 6_100  # since the last one that came back was sent
    assert fence.came_back(nonce or b"") == NOW_MS + 5_000
    assert fence.error_ms() == 1_100  # what follows it may have come just after it was sent
    fence.came_back(fence.send() or b"")
    assert fence.error_ms() == 0


def test_a_process_that_had_no_cpu_found_messages_waiting() -> None:
    clock = StillClock()
    fence = settled(clock)
    clock.pass_s(15)
    assert fence.error_ms() == 15_000
    nonce = fence.send()
    assert fence.error_ms() == 15_000  # the rest of what waited
    fence.came_back(nonce or b"")
    assert fence.error_ms() == 0


def test_a_fence_that_was_out_meanwhile_does_not_speak_for_what_follows_it() -> None:
    clock = StillClock()
    fence = settled(clock)
    clock.pass_s(5)
    nonce = fence.send()
    clock.pass_s(15)
    fence.came_back(nonce or b"")
    assert fence.error_ms() == 15_000
    fence.came_back(fence.send() or b"")
    assert fence.error_ms() == 0


def test_one_fence_at_a_time() -> None:
    clock = StillClock()
    fence = Fence(clock, None)
    assert fence.send() is not None
    assert fence.send() is None
    clock.pass_s(3)
    assert fence.overdue_s() == 3


def test_a_fence_of_an_earlier_life_proves_nothing() -> None:
    fence = Fence(StillClock(), NOW_MS - 60_000)
    fence.send()
    assert fence.came_back(b"another") is None
    assert not fence.settled
    assert fence.error_ms() == 60_000


def test_on_a_fast_street_a_second_is_still_a_real_second() -> None:
    clock = StillClock()
    clock.speed = 60.0
    fence = Fence(clock, NOW_MS - 50_000)
    assert fence.error_ms() == 0
    clock.pass_s(1)
    assert fence.error_ms() == 110_000
