"""Who wants a visit, and why."""

from typing import Any

import pytest
from derb_tools.fleet.health import Limits, summary, troubles, versions

LIMITS = Limits(silent_s=3_600, battery_mv=3_400)


def node(**more: Any) -> dict[str, Any]:
    well = {
        "replaced_by": None,
        "silent_s": 60,
        "battery_mv": 3_900,
        "config": "in_force",
        "firmware": "0.2.0",
    }
    return {**well, **more}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({}, []),
        ({"silent_s": 3_600, "battery_mv": 3_400}, []),
        ({"silent_s": 200_000}, ["silent for 2 d"]),
        ({"silent_s": 3_700}, ["silent for 61 min"]),
        ({"silent_s": None, "battery_mv": None, "firmware": None}, ["never heard"]),
        ({"battery_mv": 3_399}, ["battery low: 3399 mV"]),
        ({"config": "refused"}, ["refused its settings"]),
        ({"silent_s": None, "replaced_by": "7cdfa1000002"}, []),
    ],
)
def test_what_is_wrong(more: dict[str, Any], told: list[str]) -> None:
    assert troubles(node(**more), LIMITS) == told


def test_versions_and_a_line_on_all() -> None:
    nodes = [node(), node(), node(firmware=None, silent_s=None), node(firmware="0.1.0", replaced_by="x")]
    assert versions(nodes) == [("0.2.0", 2), ("unknown", 1)]
    assert summary(nodes, LIMITS) == "3 nodes, 1 in trouble; 2 with 0.2.0, 1 with unknown"
