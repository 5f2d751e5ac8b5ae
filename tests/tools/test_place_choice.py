"""A place is found by a few letters or by where the phone is; what is not certain is asked, never guessed."""

from __future__ import annotations

import pytest
from derb_tools.errors import AskedWrong
from derb_tools.place_choice import candidates, certain, is_position

PLACES = [
    {
        "id": f"{zone}-{number:03d}",
        "kind": "bay",
        "zone": zone,
        "lat": 33.58 + i / 10,
        "lon": -7.63 + number / 8000,
    }
    for i, zone in enumerate(("maarif", "gauthier"))
    for number in range(1, 30)
] + [{"id": "bin-anfa-7", "kind": "container", "zone": "anfa", "lat": 33.6, "lon": -7.65}]


def names(text: str) -> list[str]:
    return [str(place["id"]) for place, _ in candidates(text, PLACES)]


def test_a_whole_name_is_certain_whatever_is_like_it() -> None:
    found = candidates("maarif-001", PLACES)
    assert found[0][0]["id"] == "maarif-001"
    assert certain("maarif-001", found) is found[0][0]


@pytest.mark.parametrize("text", ["bin anfa", "BIN-ANFA-7", "anfa 7", "bin-amfa-7"])
def test_a_few_letters_or_a_slip_are_enough_where_nothing_else_is_like_them(text: str) -> None:
    assert names(text)[0] == "bin-anfa-7"


def test_letters_that_fit_many_are_asked() -> None:
    assert certain("maarif", candidates("maarif", PLACES)) is None
    assert len(names("maarif")) <= 8


def test_the_nearest_places_come_first_and_are_asked() -> None:
    assert is_position("33.58,-7.6290")
    assert is_position(" 33.58 , -7.6290 ")
    assert not is_position("maarif-001")
    found = candidates("33.58,-7.6290", PLACES)
    assert found[0][0]["id"] == "maarif-008"
    assert found[0][1] == "0 m away"
    assert certain("33.58,-7.6290", found) is None


@pytest.mark.parametrize("text", ["0,0", "99,5", "xyzxyz", "33.58,-190"])
def test_nothing_like_it_is_said(text: str) -> None:
    with pytest.raises(AskedWrong):
        candidates(text, PLACES)


def test_an_empty_registry_is_said() -> None:
    with pytest.raises(AskedWrong, match="no bay or container yet"):
        candidates("maarif", [])
