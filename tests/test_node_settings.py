"""One table of a node's settings: the board's copy, the page and the provisioning vectors say what it says."""

import ast
import re
from pathlib import Path
from typing import Any

from derb_gateway.node_settings import Setting, node_settings

ROOT = Path(__file__).parents[1]
BOARD = ast.parse((ROOT / "firmware" / "derb" / "config.py").read_text("utf-8"))
PAGE = (ROOT / "docs" / "configuration.md").read_text("utf-8")


def on_board(name: str) -> Any:
    """A literal at the top of firmware/derb/config.py."""
    (value,) = [
        node.value
        for node in BOARD.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    ]
    return ast.literal_eval(value)


def test_the_board_has_the_same_settings_with_the_same_bounds() -> None:
    expected: dict[str, tuple[Any, ...]] = {}
    for setting in node_settings().values():
        if setting.choices:
            expected[setting.name] = (setting.default, setting.choices)
        elif setting.longest:
            expected[setting.name] = (setting.default, setting.longest)
        else:
            expected[setting.name] = (setting.default, setting.low, setting.high)
    assert {**on_board("_NUMBERS"), **on_board("_TEXTS"), **on_board("_WORDS")} == expected


def test_the_numbers_on_the_wire_are_the_same() -> None:
    numbered = {setting.remote: setting.name for setting in node_settings().values() if setting.remote}
    assert dict(enumerate(on_board("REMOTE"), start=1)) == numbered


def test_the_numbers_on_the_wire_never_change() -> None:
    """A node in the street has the old list: new names go to its end."""
    assert on_board("REMOTE")[:15] == (
        "wake_s", "sample_ms", "pings", "report_every", "hold", "health_every_s", "awake_ms", "episode_s",
        "backoff_max_s", "empty_mm", "full_mm", "floor_pct", "broker", "port", "log",
    )  # fmt: skip


def test_every_default_fits_its_own_bounds() -> None:
    assert [s.name for s in node_settings().values() if s.fault(s.default)] == []


def test_no_secret_can_be_changed_from_afar() -> None:
    assert [s.name for s in node_settings().values() if s.secret and s.remote] == []


def row(setting: Setting) -> str:
    """A setting as the page has it."""
    default = "none" if setting.default == "" else str(setting.default)
    remote = str(setting.remote) if setting.remote else ""
    unit = f" {setting.unit}" if setting.unit else ""
    return f"| {remote} | `{setting.name}` | {default} | {setting.bounds()}{unit} | {setting.help} |"


def test_the_page_has_every_setting_as_it_is() -> None:
    missing = [row(setting) for setting in node_settings().values() if row(setting) not in PAGE]
    assert missing == [], "\n" + "\n".join(missing)
    rows = re.findall(r"^\| \d* \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert rows == list(node_settings())
