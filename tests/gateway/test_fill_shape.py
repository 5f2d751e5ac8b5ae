"""Fill levels of containers that are no straight boxes: the same as the node reckons."""

import json
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.registry import Container
from pydantic import ValidationError

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "fill.json").read_text("utf-8")
)
PLACE = {"id": "c", "zone": "z", "lat": 33.5, "lon": -7.6, "empty_mm": 1500, "full_mm": 250}


@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_the_levels_that_both_halves_agree_on(vector: dict[str, Any]) -> None:
    geometry = {name: value for name, value in vector.items() if name not in ("distance_mm", "level_pct")}
    container = Container.model_validate({**PLACE, **geometry})
    assert container.level_pct(vector["distance_mm"]) == pytest.approx(vector["level_pct"], abs=0.06)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ([[250, 100.0]], "two points"),
        ([[250, 30.0], [900, 90.0]], "rise"),
        ([[250, 30.0], [250, 20.0]], "twice"),
        ([[250, 101.0], [900, 0.0]], "percent"),
        ([[-1, 100.0], [900, 0.0]], "mm"),
        ([[250.5, 100.0], [900, 0.0]], "list of"),
        ([[250, float("nan")], [900, 0.0]], "percent"),
        ("250:100,900:0", "list of"),
        ([[250, 100.0, 1], [900, 0.0]], "list of"),
    ],
)
def test_a_table_that_cannot_be_is_refused(table: object, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Container.model_validate({**PLACE, "fill_table": table})


def test_the_order_of_a_table_does_not_matter() -> None:
    container = Container.model_validate({**PLACE, "fill_table": [[1500, 0], [250, 90.0], [900, 30]]})
    assert container.level_pct(900) == 30.0


@pytest.mark.parametrize("wrong", [{"floor_pct": 9}, {"floor_pct": 1001}, {"shape": "sphere"}])
def test_a_shape_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Container.model_validate({**PLACE, **wrong})
