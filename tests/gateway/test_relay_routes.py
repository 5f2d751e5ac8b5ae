"""Back the way it came: by the relay that heard the node last, of several that heard the same packet by the strongest."""

from derb_gateway.relay_routes import Routes

NODE = "240ac4a1b2c3"


def way(routes: Routes) -> str | None:
    sighting = routes.to(NODE)
    return sighting and sighting.relay


def test_a_node_that_nobody_heard_has_no_way() -> None:
    assert way(Routes()) is None
    assert Routes().instead(NODE, "a", 0.0) is None


def test_the_last_relay_that_heard_it_is_the_way() -> None:
    routes = Routes()
    routes.heard(NODE, "a", 100.0, -50)
    routes.heard(NODE, "b", 110.0, -90)
    assert way(routes) == "b"
    routes.heard(NODE, "a", 120.0, -50)
    assert way(routes) == "a"


def test_of_those_that_heard_it_together_the_strongest_is_the_way_in_whatever_order_they_tell() -> None:
    sightings = [("a", 100.0, -80), ("b", 100.1, -60), ("c", 99.9, -95)]
    for turn in range(3):
        routes = Routes()
        for sighting in sightings[turn:] + sightings[:turn]:
            routes.heard(NODE, *sighting)
        assert way(routes) == "b"


def test_what_a_relay_kept_while_its_cable_was_out_does_not_make_it_the_way() -> None:
    routes = Routes()
    routes.heard(NODE, "b", 200.0, -90)
    routes.heard(NODE, "a", 150.0, -50)
    assert way(routes) == "b"


def test_where_one_does_not_reach_it_another_that_heard_it_lately_may() -> None:
    routes = Routes()
    routes.heard(NODE, "a", 100.0, -50)
    routes.heard(NODE, "b", 100.0, -60)
    assert routes.instead(NODE, "a", 101.0) == "b"
    assert routes.instead(NODE, "b", 101.0) == "a"
    assert routes.instead(NODE, "a", 200.0) is None


def test_a_copy_is_known_for_a_while() -> None:
    routes = Routes()
    assert routes.copy_of(NODE, b"frame", "a", 100.0) is None
    first = routes.copy_of(NODE, b"frame", "b", 100.2)
    assert first is not None
    assert (first.relay, first.heard_s) == ("a", 100.0)
    assert routes.copy_of(NODE, b"other", "b", 100.2) is None
    assert routes.copy_of("240ac4000000", b"frame", "b", 100.2) is None
    assert routes.copy_of(NODE, b"frame", "a", 105.5) is None


def test_a_flood_of_made_up_nodes_takes_no_more_memory_than_many_nodes() -> None:
    routes = Routes()
    for i in range(25_000):
        routes.heard(f"{i:012x}", "a", float(i), -50)
        routes.copy_of(f"{i:012x}", b"frame", "a", float(i))
    assert len(routes._of) == len(routes._copies) == 10_000
