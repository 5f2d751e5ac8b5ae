"""Which bay or container a node stands at: by a few letters of its name, or by the phone's position. Pure."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rapidfuzz import fuzz, process, utils

from derb_tools.errors import AskedWrong

MOST = 8
_LEAST_SCORE = 55
_SURE_BY = 12  # so much better than the next, and no question is needed
_FARTHEST_M = 300
_EARTH_M = 6_371_000
_POSITION = re.compile(r"\s*(-?\d{1,2}(?:\.\d+)?)\s*[,;]\s*(-?\d{1,3}(?:\.\d+)?)\s*")

Place = Mapping[str, Any]
"""A place as `derb gateway registry list --json` has it: id, kind, zone, lat, lon, node."""


def is_position(text: str) -> bool:
    """Whether it is written as `lat,lon`."""
    return _POSITION.fullmatch(text) is not None


def candidates(text: str, places: Sequence[Place]) -> list[tuple[Place, str]]:
    """Places that the text may mean, likeliest first, each with why. AskedWrong when there is none."""
    if not places:
        raise AskedWrong(
            "the registry has no bay or container yet: write them there first (`derb gateway registry`)"
        )
    found = _near(text, places) if is_position(text) else _alike(text, places)
    if not found:
        what = f"within {_FARTHEST_M} m of {text}" if is_position(text) else f"like {text!r}"
        raise AskedWrong(f"the registry has no bay or container {what}")
    return found[:MOST]


def certain(text: str, found: Sequence[tuple[Place, str]]) -> Place | None:
    """The place that is meant beyond doubt, None if a person must choose."""
    first = found[0][0]
    if str(first["id"]) == text or len(found) == 1:
        return first
    if is_position(text):
        return None  # a phone is ten metres off, and so is the next bay
    scores = [_score(text, place) for place, _ in found[:2]]
    return first if scores[0] - scores[1] >= _SURE_BY else None


def _alike(text: str, places: Sequence[Place]) -> list[tuple[Place, str]]:
    names = [_name(place) for place in places]
    found = process.extract(
        text,
        names,
        scorer=fuzz.WRatio,
        processor=utils.default_process,
        limit=MOST,
        score_cutoff=_LEAST_SCORE,
    )
    exact = [place for place in places if place["id"] == text]
    ranked = exact + [places[index] for _, _, index in found if places[index]["id"] != text]
    return [(place, str(place["zone"])) for place in ranked]


def _score(text: str, place: Place) -> float:
    return float(fuzz.WRatio(text, _name(place), processor=utils.default_process))


def _name(place: Place) -> str:
    return f"{place['id']} {place['zone']}"


def _near(text: str, places: Sequence[Place]) -> list[tuple[Place, str]]:
    match = _POSITION.fullmatch(text)
    assert match
    lat, lon = float(match[1]), float(match[2])
    if abs(lat) > 90 or abs(lon) > 180:
        raise AskedWrong(f"{text}: latitude is at most 90, longitude at most 180, in this order")
    distances = sorted(
        ((_metres(lat, lon, place), i) for i, place in enumerate(places)), key=lambda each: each[0]
    )
    return [(places[i], f"{metres:.0f} m away") for metres, i in distances if metres <= _FARTHEST_M]


def _metres(lat: float, lon: float, place: Place) -> float:
    """Great-circle distance by the haversine formula."""
    to_lat, to_lon = math.radians(place["lat"]), math.radians(place["lon"])
    from_lat, from_lon = math.radians(lat), math.radians(lon)
    half = (
        math.sin((to_lat - from_lat) / 2) ** 2
        + math.cos(from_lat) * math.cos(to_lat) * math.sin((to_lon - from_lon) / 2) ** 2
    )
    return 2 * _EARTH_M * math.asin(math.sqrt(half))
