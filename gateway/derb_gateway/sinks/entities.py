"""Places of the registry as entities of the Smart Data Models, in NGSI-LD's normalized form. Pure.

ParkingSpot and OnStreetParking: https://github.com/smart-data-models/dataModel.Parking; WasteContainer:
https://github.com/smart-data-models/dataModel.WasteManagement. Units: fillingLevel is 0 to 1; longitude comes before
latitude.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from derb_gateway.registry import Bay
from derb_gateway.sinks.picture import Told

Entity = dict[str, Any]
_NUMBERS = {"fillingLevel"}


def urn(kind: str, site: str, name: str) -> str:
    """Return an entity's id; whatever an operator called a place, it is a URI."""
    return f"urn:ngsi-ld:{kind}:{quote(site, safe='')}:{quote(name, safe='')}"


def parking_spot(bay: Bay, site: str, told: Mapping[str, Told]) -> Entity:
    """Return a ParkingSpot."""
    return {
        "id": urn("ParkingSpot", site, bay.id),
        "type": "ParkingSpot",
        "name": _property(bay.id),
        "category": _property(["onStreet"]),
        "location": _point(bay.lon, bay.lat),
        "refParkingSite": {"type": "Relationship", "object": urn("OnStreetParking", site, bay.zone)},
        **_attributes(told),
    }


def waste_container(container: Bay, site: str, told: Mapping[str, Told]) -> Entity:
    """Return a WasteContainer."""
    return {
        "id": urn("WasteContainer", site, container.id),
        "type": "WasteContainer",
        "name": _property(container.id),
        "location": _point(container.lon, container.lat),
        **_attributes(told),
    }


def on_street_parking(zone: str, site: str, bays: Sequence[Bay], told: Iterable[Told | None]) -> Entity:
    """Return a zone as OnStreetParking, with its counts; a bay of which nothing is known is neither free nor occupied."""
    known = [each for each in told if each is not None]
    states = [each.value for each in known]
    at = max(each.observed_at for each in known)
    lon, lat = (sum(each) / len(bays) for each in ([bay.lon for bay in bays], [bay.lat for bay in bays]))
    return {
        "id": urn("OnStreetParking", site, zone),
        "type": "OnStreetParking",
        "name": _property(zone),
        "location": _point(round(lon, 7), round(lat, 7)),
        "totalSpotNumber": _property(len(bays), at),
        "availableSpotNumber": _property(states.count("free"), at),
        "occupiedSpotNumber": _property(states.count("occupied"), at),
        "outOfServiceSlotNumber": _property(states.count("closed"), at),
        "observationDateTime": _property(at),
        "occupancyDetectionType": _property(["singleSpaceDetection"]),
    }


def _attributes(told: Mapping[str, Told]) -> Entity:
    attributes = {name: _property(_value(name, each), each.observed_at) for name, each in told.items()}
    nodes = sorted(
        {each.node for each in told.values() if ":" not in each.node}
    )  # not the gateway's own word
    if not nodes:
        return attributes
    return {**attributes, "refDevice": _property([f"urn:ngsi-ld:Device:{node}" for node in nodes])}


def _value(name: str, told: Told) -> str | float:
    return float(told.value) if name in _NUMBERS else told.value


def _property(value: object, observed_at: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "Property", "value": value}
    return found if observed_at is None else {**found, "observedAt": observed_at}


def _point(lon: float, lat: float) -> dict[str, Any]:
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, lat]}}
