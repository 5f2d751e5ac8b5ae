"""A loop at rest never stalls; one that is busy says for how long."""

from derb_gateway.pulse import Pulse


def test_a_step_is_timed_from_its_own_beginning_and_rest_is_no_step() -> None:
    now = [100.0]
    pulse = Pulse("loop", lambda: now[0])
    assert pulse.busy_s() == 0
    pulse.beat()
    now[0] += 7
    assert pulse.busy_s() == 7
    pulse.beat()
    now[0] += 2
    assert pulse.busy_s() == 2
    pulse.rest()
    now[0] += 1000
    assert pulse.busy_s() == 0
