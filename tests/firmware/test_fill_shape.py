"""Shapes and tables, pinned by geometry."""

import json

from derb.fill_shape import Table, Tapered, points


def _refused(make):
    try:
        make()
    except ValueError:
        return True
    return False


def test_straight_walls_are_a_straight_line():
    for both_ways in (True, False):
        shape = Tapered(1200, 200, 100, both_ways)
        for mm, fill_x10 in ((1300, 0), (1200, 0), (700, 500), (200, 1000), (0, 1000)):
            assert shape(mm) == fill_x10


def test_a_cone_to_a_point_fills_with_the_cube_of_the_height():
    cone = Tapered(1000, 0, 0)
    for percent in (0, 10, 25, 50, 80, 100):
        assert abs(cone(1000 - percent * 10) - percent**3 // 1000) <= 12


def test_a_wedge_fills_with_the_square_of_the_height():
    wedge = Tapered(1000, 0, 0, both_ways=False)
    for percent in (0, 10, 25, 50, 80, 100):
        assert abs(wedge(1000 - percent * 10) - percent**2 // 10) <= 12


def test_any_shape_is_fuller_the_nearer_the_surface():
    for floor_pct in (0, 40, 70, 130, 300):
        for both_ways in (True, False):
            shape = Tapered(1500, 250, floor_pct, both_ways)
            fills = [shape(mm) for mm in range(1600, 100, -10)]
            assert fills == sorted(fills) and fills[0] == 0 and fills[-1] == 1000, (floor_pct, both_ways)


def test_a_table_goes_through_its_points_and_is_level_beyond_them():
    table = Table([(1000, 0), (300, 900), (600, 300)])
    for mm, fill_x10 in ((2000, 0), (1000, 0), (800, 150), (600, 300), (450, 600), (300, 900), (10, 900)):
        assert table(mm) == fill_x10


def test_tables_and_shapes_that_cannot_be_are_refused():
    for wrong in (
        [],
        [(500, 100)],
        [(500, 100), (600, 200)],
        [(500, 100), (500, 90)],
        [(-1, 9), (5, 2)],
        [(1, 1001), (5, 2)],
    ):
        assert _refused(lambda: Table(wrong)), wrong
    assert _refused(lambda: Tapered(200, 200, 100))
    assert _refused(lambda: Tapered(900, 200, -1))


def test_the_levels_that_both_halves_agree_on():
    with open("tests/vectors/fill.json") as file:
        vectors = json.load(file)
    assert len(vectors) > 50
    for vector in vectors:
        empty, full, floor = vector["empty_mm"], vector["full_mm"], vector["floor_pct"]
        if vector["fill_table"]:
            text = ",".join("%d:%.1f" % (mm, pct) for mm, pct in vector["fill_table"])
            fill_x10 = Table(points(text))
        else:
            fill_x10 = Tapered(empty, full, floor, vector["shape"] == "cone")
        assert abs(fill_x10(vector["distance_mm"]) - vector["level_pct"] * 10) <= 4, vector
