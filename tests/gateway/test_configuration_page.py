"""docs/configuration.md names every key there is, and its examples are good ones."""

import re
from pathlib import Path

import pytest
from derb_gateway.config import (
    BrokerSettings,
    Config,
    HttpSettings,
    LogSettings,
    StoreSettings,
    load_config,
)
from derb_gateway.registry import Bay, Container, NodeEntry, load_registry
from derb_gateway.sink_settings import (
    FileSinkSettings,
    HttpSinkSettings,
    MqttSinkSettings,
    NatsSinkSettings,
    NgsiLdSinkSettings,
)
from derb_gateway.toml_model import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
MODELS = [
    BrokerSettings,
    Config,
    FileSinkSettings,
    HttpSettings,
    HttpSinkSettings,
    LogSettings,
    MqttSinkSettings,
    NatsSinkSettings,
    NgsiLdSinkSettings,
    StoreSettings,
    Bay,
    Container,
    NodeEntry,
]


def _example(heading: str) -> str:
    """The indented block after a heading."""
    lines = PAGE.split(f"## {heading}\n", 1)[1].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("    "))
    end = next(i for i in range(start, len(lines)) if lines[i] and not lines[i].startswith("    "))
    return "\n".join(line[4:] for line in lines[start:end])


@pytest.mark.parametrize("model", MODELS)
def test_every_key_is_on_the_page(model: type[Settings]) -> None:
    tables = {"broker", "store", "log", "http", "sink"}
    missing = [
        name for name in model.model_fields if name not in tables and not re.search(rf"\b{name}\b", PAGE)
    ]
    assert not missing


def test_the_examples_are_taken(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(_example("gateway.toml"), encoding="utf-8")
    (tmp_path / "registry.toml").write_text(_example("registry.toml"), encoding="utf-8")
    config = load_config(tmp_path / "gateway.toml")
    assert {sink.name for sink in config.sink} == {"city", "files"}
    assert load_registry(config.registry).containers == {}
