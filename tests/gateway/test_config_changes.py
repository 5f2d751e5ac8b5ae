"""Each key of the configuration is taken at once or named as waiting for the next start; none is passed over."""

from pathlib import Path

import pytest
from derb_gateway.config import BrokerSettings, Config, HttpSettings, LogSettings, StoreSettings
from derb_gateway.config_changes import changes
from derb_gateway.sink_settings import FileSinkSettings


def config(**values: object) -> Config:
    return Config.model_validate({"site": "a", "registry": "r.toml", **values})


def sink(name: str, **values: object) -> FileSinkSettings:
    return FileSinkSettings(type="file", name=name, directory=Path(name), **values)  # type: ignore[arg-type]


def test_the_same_is_no_change() -> None:
    found = changes(config(), config())
    assert found.config == config()
    assert (found.at_once, found.at_start, found.sinks_gone, found.sinks_set) == ([], [], [], [])


@pytest.mark.parametrize(
    ("new", "at_once", "at_start"),
    [
        (config(log=LogSettings(level="debug")), ["log.level"], []),
        (config(log=LogSettings(format="json")), [], ["log.format"]),
        (
            config(store=StoreSettings(budget_bytes=1 << 21, path=Path("x"))),
            ["store.budget_bytes"],
            ["store.path"],
        ),
        (config(broker=BrokerSettings(port=7, manage=True)), [], ["broker.manage", "broker.port"]),
        (config(http=HttpSettings()), [], ["http"]),
        (config(site="b", registry="s.toml", stall_after_s=3.0), ["registry", "stall_after_s"], ["site"]),
    ],
)
def test_each_change_is_named(new: Config, at_once: list[str], at_start: list[str]) -> None:
    found = changes(config(), new)
    assert (sorted(found.at_once), sorted(found.at_start)) == (at_once, at_start)


def test_what_waits_for_a_start_stays_as_it_was_and_the_rest_is_in_force() -> None:
    new = config(site="b", store=StoreSettings(path=Path("x"), gather_ms=5), log=LogSettings(level="error"))
    assert changes(config(), new).config == config(
        store=StoreSettings(gather_ms=5), log=LogSettings(level="error")
    )


def test_every_key_that_there_is_belongs_to_one_side() -> None:
    other = {
        "site": "b", "registry": "s", "stop_deadline_s": 1.0, "stall_after_s": 1.0, "http": HttpSettings(),
        "sink": [sink("a")], "relay": [{"name": "n"}],
    }  # fmt: skip
    tables = {"broker", "store", "log"}
    assert set(other) | tables == set(Config.model_fields)
    for name, value in other.items():
        found = changes(config(), config(**{"site": "a", name: value}))
        assert [*found.at_once, *found.at_start] == [name]


def test_sinks_that_came_went_or_changed_and_no_others() -> None:
    old = config(sink=[sink("same"), sink("gone"), sink("changed")])
    new = config(sink=[sink("new"), sink("changed", keep_files=3), sink("same")])
    found = changes(old, new)
    assert found.sinks_gone == ["gone"]
    assert [each.name for each in found.sinks_set] == ["new", "changed"]
    assert found.config.sink == new.sink
