"""The dashboard and the alert rules name only what a gateway exports, and no alarm of the page is without a rule."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from derb_gateway.alarms import ALARMS
from derb_gateway.measures import Measures
from derb_gateway.metrics import GatewayMetrics
from derb_gateway.store_figures import store_figures
from derb_gateway.vitals import GatewayNow, SinkNow
from gateway.kit import NOW_MS, Disk, arrival, frame
from prometheus_client import generate_latest

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "gateway" / "deploy"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_NAME = re.compile(r"\bderb_[a-z0-9_]+")
_SELECTOR = re.compile(r"(derb_[a-z0-9_]+)\{([^}]*)\}")
_LABEL = re.compile(r'(\w+)(?:=~?|!=|!~)"')
# Alarms that are readings of a node: they go to the city as what they are, and the gateway keeps no state of them.
OF_NODES = {
    "full",
    "collected",
    "fire",
    "tilt",
    "sensor_fault",
    "config_refused",
    "config_returned",
    "update_returned",
}


class Told:
    """What a gateway would tell, without one."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def now(self) -> GatewayNow:
        return GatewayNow(True, True, True, False, True, 0, 0, 0, 0.0, 2, [SinkNow("city", True, 0)])

    def figures(self) -> object:
        return store_figures(self._disk.path, ["city"], NOW_MS)

    def wall_ms(self) -> int:
        return NOW_MS


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The labels of each sample's name that a gateway exports."""
    disk = Disk(tmp_path_factory.mktemp("store") / "derb.sqlite3")
    disk.take(arrival(frame(0)), arrival(b"x"))
    by = (
        "forwarded.city",
        "refused_by.city",
        "refused_shed.city",
        "shed.level",
        "dropped.x",
        "relay.copies",
        "new",
    )
    disk.store.count(dict.fromkeys((*by, "relay.north.air_dropped"), 1))
    measures = Measures()
    measures.registry.register(GatewayMetrics(Told(disk)))  # type: ignore[arg-type]
    lines = generate_latest(measures.registry).decode().splitlines()
    disk.store.close()
    found: dict[str, set[str]] = {}
    for line in lines:
        if not line.startswith("#"):
            name, _, labels = line.rpartition(" ")[0].partition("{")
            found.setdefault(name, set()).update(_LABEL.findall(labels))
    return found


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((DEPLOY / "prometheus-rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())["panels"]
    return found


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in rules())
    yield from (target["expr"] for panel in panels() for target in panel["targets"])


def test_every_name_that_is_used_is_exported(exported: dict[str, set[str]]) -> None:
    used = {name for expression in expressions() for name in _NAME.findall(expression)}
    assert len(used) > 30
    assert used - set(exported) == set()


def test_every_label_that_is_asked_for_is_exported(exported: dict[str, set[str]]) -> None:
    asked = {
        (name, label)
        for e in expressions()
        for name, inside in _SELECTOR.findall(e)
        for label in _LABEL.findall(inside)
    }
    assert ("derb_alarm", "alarm") in asked
    assert {
        (name, label) for name, label in asked if label not in {"instance", "job", *exported[name]}
    } == set()


def test_every_metric_that_matters_is_on_the_dashboard_or_in_a_rule(exported: dict[str, set[str]]) -> None:
    used = {name for expression in expressions() for name in _NAME.findall(expression)}
    ends = ("_count", "_sum", "_created")  # of histograms
    unused = {name for name in exported if name not in used and not name.endswith(ends)}
    assert unused == {"derb_other_total", "derb_readings_left_out_total", "derb_times_refined_total"} | (
        unused & {"derb_readings_shed_total"}  # its alarm has a rule
    )


def alarms_of_the_page() -> set[str]:
    """The first column of each table whose heading is alarm."""
    found: set[str] = set()
    for table in re.findall(r"^\| `?alarm`? \|.*\n\|[ -|]+\n((?:\|.*\n)+)", OPERATIONS, re.MULTILINE):
        found |= set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE))
    return found


def test_every_alarm_of_the_page_has_a_rule_or_is_a_node_s() -> None:
    with_rule = {alarm for rule in rules() for alarm in re.findall(r'alarm="(\w+)"', rule["expr"])}
    assert with_rule == set(ALARMS)
    assert alarms_of_the_page() == with_rule | OF_NODES


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(rule["annotations"]) == {"summary", "do"}
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))


def test_every_panel_stands_in_a_place_of_its_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())
