"""The registry: who may speak and where it stands; its mistakes are found before they let a stranger in."""

from pathlib import Path

import pytest
from derb_gateway.errors import ConfigError
from derb_gateway.registry import Container, Registry, load_registry
from gateway.kit import KEY, NODE, OTHER, OTHER_KEY

NODES = f"""
[[node]]
id = "{NODE}"
key = "{KEY.hex()}"
bay = "b1"
[[node]]
id = "{OTHER}"
key = "{OTHER_KEY.hex().upper()}"
container = "c1"
"""
PLACES = """
[[bay]]
id = "b1"
zone = "maarif"
lat = 33.58
lon = -7.62
[[container]]
id = "c1"
zone = "maarif"
lat = 33.58
lon = -7.62
empty_mm = 1500
full_mm = 250
"""


def load(tmp_path: Path, text: str) -> Registry:
    path = tmp_path / "registry.toml"
    path.write_text(text)
    return load_registry(path)


def problems(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, text)
    return str(refused.value)


def test_nodes_with_their_keys_and_places(tmp_path: Path) -> None:
    registry = load(tmp_path, NODES + PLACES)
    assert registry.key(NODE) == KEY
    assert registry.key(OTHER) == OTHER_KEY
    assert registry.key("0" * 12) is None
    assert registry.bays[NODE].id == "b1"
    assert registry.containers[OTHER].zone == "maarif"


def test_doubled_nodes_keys_and_places(tmp_path: Path) -> None:
    assert f"node '{NODE}' is there twice" in problems(tmp_path, NODES + PLACES + NODES.partition("bay")[0])
    same_key = NODES.replace(OTHER_KEY.hex().upper(), KEY.hex())
    told = problems(tmp_path, same_key + PLACES)
    assert f"nodes {NODE} and {OTHER} have the same key" in told
    assert KEY.hex() not in told
    assert "bay 'b1' is there twice" in problems(
        tmp_path, NODES + PLACES + PLACES.partition("[[container]]")[0]
    )


def test_two_nodes_at_one_bay(tmp_path: Path) -> None:
    assert "a node for bay 'b1' is there twice" in problems(
        tmp_path, NODES.replace('container = "c1"', 'bay = "b1"') + PLACES
    )


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    told = problems(tmp_path, NODES)
    assert f"node {NODE}: there is no [[bay]] with id 'b1'" in told
    assert f"node {OTHER}: there is no [[container]] with id 'c1'" in told


def test_bad_hex_names_the_place_and_not_the_key(tmp_path: Path) -> None:
    told = problems(
        tmp_path, NODES.replace(KEY.hex(), "zz" + KEY.hex()[2:]).replace(OTHER, OTHER + "0") + PLACES
    )
    assert "node[0].key: is not 64 hex digits" in told
    assert KEY.hex()[2:] not in told
    assert f"node[1].id: is not 12 hex digits (given: '{OTHER}0')" in told


@pytest.mark.parametrize("written", ["7C:DF:A1:00:00:01", "7c-df-a1-00-00-01", "7CDFA1000001"])
def test_an_id_is_taken_as_a_mac_address_is_written(tmp_path: Path, written: str) -> None:
    registry = load(tmp_path, NODES.replace(OTHER, written) + PLACES)
    assert registry.key(OTHER) == OTHER_KEY
    assert registry.containers[OTHER].id == "c1"


def test_one_node_written_in_two_ways_is_there_twice(tmp_path: Path) -> None:
    again = NODES.partition("bay")[0].replace(NODE, "24:0A:C4:A1:B2:C3")
    assert f"node '{NODE}' is there twice" in problems(tmp_path, NODES + PLACES + again)


def test_a_key_is_not_in_the_repr(tmp_path: Path) -> None:
    assert KEY.hex() not in repr(load(tmp_path, NODES + PLACES))
    assert repr(KEY) not in repr(load(tmp_path, NODES + PLACES))


def test_a_container_upside_down(tmp_path: Path) -> None:
    assert "empty_mm must be more than full_mm" in problems(tmp_path, NODES + PLACES.replace("1500", "250"))


@pytest.mark.parametrize(
    ("distance_mm", "percent"), [(1500, 0.0), (250, 100.0), (812, 55.0), (2000, 0.0), (100, 100.0)]
)
def test_fill_level(distance_mm: int, percent: float) -> None:
    container = Container(id="c", zone="z", lat=0.0, lon=0.0, empty_mm=1500, full_mm=250)
    assert container.level_pct(distance_mm) == percent
