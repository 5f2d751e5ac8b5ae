"""Two hundred nodes over relays: nothing lost, nothing doubled, whatever happens to the cable and the relay's power."""

import time
from pathlib import Path

import pytest

from tests.e2e.relay_rig import Crowd, RelayRig, relay_id

NODES = [f"240ac5{number:06x}" for number in range(200)]


def _balance(rig: RelayRig, crowd: Crowd) -> tuple[int, int, int]:
    """(made, lost, doubled), after waiting for the sink."""
    deadline_s = time.monotonic() + 15
    while time.monotonic() < deadline_s and len(rig.forwarded()) < crowd.made:
        time.sleep(0.1)
    forwarded, keys = rig.forwarded(), crowd.keys()
    return len(keys), len(keys - forwarded.keys()), sum(n > 1 for n in forwarded.values())


def test_two_hundred_nodes_with_the_cable_pulled_in_the_middle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RelayRig(tmp_path, NODES) as rig:
        rig.wait_for_log("relay connected")
        crowd = Crowd(rig.air.port, NODES, relay_id(0))
        crowd.start(readings=10, rate=150)
        time.sleep(4)
        rig.relays[0].cable.unplug()
        rig.wait_for_log("relay is away")
        time.sleep(2)
        rig.relays[0].cable.plug()
        crowd.settle(60)
        made, lost, doubled = _balance(rig, crowd)
        status = rig.status()
        cable = rig.relays[0].cable.counts
    with capsys.disabled():
        print(
            f"\n200 nodes, cable pulled: {made} readings, {lost} lost, {doubled} doubled; {status['relays']['r0']} {dict(cable)}"
        )
    assert (made, lost, doubled, crowd.waiting) == (2000, 0, 0, 0)
    assert rig.relays[0].results[-1].end == "power_cut", "the relay ran through without a reset"
