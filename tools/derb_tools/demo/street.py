"""The demo's twelve nodes, from the recordings that the street simulator writes."""

from pathlib import Path

from derb_tools.board import HcSr04, Lis3mdl, Part
from derb_tools.demo.plan import Kind, PlannedNode
from derb_tools.street.demo import StreetObject, demo_street

# So that half a minute shows something: a street whose containers are read every 5 minutes and sent every 15.
_PARKING = {"wake_s": 300, "health_every_s": 3600, "backoff_max_s": 600}
_LEVEL = {"wake_s": 300, "report_every": 3, "health_every_s": 3600, "backoff_max_s": 600}
# Rue and boulevard corners of the Maarif quarter, near enough for a picture.
_LAT, _LON, _STEP = 33.5866, -7.6324, 0.0003


def planned_street(folder: Path, seed: int, hours: float) -> list[PlannedNode]:
    """Write the recordings and return the nodes that read them."""
    return [_node(number, thing) for number, thing in enumerate(demo_street(folder, seed, hours), start=1)]


def _node(number: int, thing: StreetObject) -> PlannedNode:
    bay = thing.kind == "bay"
    kind: Kind = "parking" if bay else "level"
    part: Part = (
        Lis3mdl(thing.recording, int_pin=33, address=0x1C)
        if bay
        else HcSr04(thing.recording, trig=25, echo=26)
    )
    return PlannedNode(
        bytes.fromhex(f"240ac4de{number:04x}"),
        thing.name,
        kind,
        [part],
        lat=round(_LAT + _STEP * (number % 6), 6),
        lon=round(_LON + _STEP * (number // 6), 6),
        empty_mm=thing.empty_mm or 1500,
        full_mm=thing.full_mm or 250,
        config=_PARKING if bay else _LEVEL,
    )
