"""What goes into a node's NVS: the board's pins, what the registry knows, the street's settings; never what cannot work."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.registry import load_registry
from derb_tools.boards import load_board
from derb_tools.errors import AskedWrong
from derb_tools.firmware_files import firmware_dir
from derb_tools.flash.node_entries import Identity, bare_entries, identity, node_entries, relay_entries
from derb_tools.flash.node_file import NodeFile
from derb_tools.interpreters import board_command

NAME = "firebeetle2-esp32-e"
KEY = bytes(32)
BAY = Identity("240ac4a1b2c3", KEY, "parking", "maarif-001")
STREET = {"ssid": "derb", "psk": "secret", "broker": "10.0.0.2"}

REGISTRY = f"""
[[bay]]
id = "maarif-001"
zone = "maarif"
lat = 33.5
lon = -7.6
[[container]]
id = "bin-1"
zone = "maarif"
lat = 33.5
lon = -7.6
empty_mm = 1400
full_mm = 300
floor_pct = 60
fill_table = [[300, 100], [900, 42.5], [1400, 0]]
[[node]]
id = "240ac4a1b2c3"
key = "{"01" * 32}"
bay = "maarif-001"
[[node]]
id = "240ac4a1b2c4"
key = "{"02" * 32}"
container = "bin-1"
[[node]]
id = "240ac4a1b2c5"
key = "{"03" * 32}"
"""


def who(folder: Path, node: str) -> Identity:
    path = folder / "registry.toml"
    path.write_text(REGISTRY)
    return identity(load_registry(path), node)


def entries(identity_: Identity = BAY, board: str = NAME, **others: Any) -> dict[str, Any]:
    settings = others.pop("settings", {})
    file = NodeFile(Path("street.toml"), {**STREET, **settings}, **others)
    made = node_entries(board, load_board(board), file, identity_, 1_790_000_000)
    return dict(made["derb"])


def settings_of(made: dict[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(made["cfg"])
    return read


def test_a_bays_node_gets_its_key_the_boards_pins_and_the_streets_settings(tmp_path: Path) -> None:
    made = entries(who(tmp_path, "240ac4a1b2c3"))
    assert made["key"] == bytes([1]) * 32
    assert settings_of(made) == {"kind": "parking", "board": NAME, "int_pin": 4, "batt_pin": 34, **STREET}
    assert set(made) == {"cfg", "key"}


def test_a_containers_node_gets_its_depths_and_table(tmp_path: Path) -> None:
    settings = settings_of(entries(who(tmp_path, "240ac4a1b2c4")))
    assert settings["kind"] == "level"
    assert (settings["empty_mm"], settings["full_mm"], settings["floor_pct"]) == (1400, 300, 60)
    assert settings["fill_table"] == "300:100.0,900:42.5,1400:0.0"
    assert settings["int_pin"] == -1


def test_a_lid_that_may_fall_gets_its_pins() -> None:
    bin_ = Identity("240ac4a1b2c4", KEY, "level", "bin-1")
    assert settings_of(entries(bin_, settings={"tilt": 1}))["int_pin"] == 4


def test_what_the_street_says_goes_before_what_the_board_says() -> None:
    assert settings_of(entries(settings={"batt_pin": 35}))["batt_pin"] == 35
    assert "batt_pin" not in settings_of(entries(settings={"batt_pin": -1})), "-1 is the default"


def test_certificates_come_with_the_time_that_makes_them_valid() -> None:
    made = entries(settings={"tls": "ca"}, ca=b"\x30\x82der")
    assert (made["ca"], made["time_floor"]) == (b"\x30\x82der", 1_790_000_000)


def test_the_way_in_and_the_key_for_updates_are_entries_of_their_own() -> None:
    made = entries(update_key=bytes(56), door_pin=0)
    assert (made["upd_key"], made["door_pin"]) == (bytes(56), 0)


def test_a_node_without_a_place_yet_knows_its_board_and_no_key() -> None:
    made = dict(
        bare_entries("xiao-esp32c3", load_board("xiao-esp32c3"), NodeFile(settings={"ssid": "derb"}))["derb"]
    )
    assert set(made) == {"cfg"}
    settings = settings_of(made)
    pins = load_board("xiao-esp32c3").pins.given()
    assert pins.items() <= settings.items()
    assert (settings["board"], settings["ssid"]) == ("xiao-esp32c3", "derb")
    with pytest.raises(AskedWrong, match="int_pin: GPIO 9 cannot be int_pin: it is a strapping pin"):
        bare_entries("xiao-esp32c3", load_board("xiao-esp32c3"), NodeFile(settings={"int_pin": 9}))


def test_a_relay_keeps_a_channel_or_nothing() -> None:
    assert relay_entries(6) == {"relay": {"channel": 6}}
    assert relay_entries(0) == {"relay": {}}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"int_pin": 5}, "int_pin: GPIO 5 cannot be int_pin: it is a strapping pin"),
        ({"int_pin": 18}, "int_pin: GPIO 18 cannot be int_pin: it cannot wake the esp32"),
        ({"i2c_scl": 34}, "i2c_scl: GPIO 34 cannot be i2c_scl: it is an input only"),
        ({"i2c_sda": 6}, "it belongs to the flash chip"),
        ({"batt_pin": 25}, "batt_pin: GPIO 25 cannot be batt_pin: ADC2 does not work while Wi-Fi is on"),
        ({"i2c_sda": 22}, "i2c_scl has it already"),
        (
            {"kind": "level"},
            "kind = 'level' in the settings, but maarif-001, where node .* stands, needs 'parking'",
        ),
        ({"full_mm": 1500}, r"full_mm \(1500\) must be less than empty_mm \(1500\)"),
        ({"tls": "ca"}, r'street\.toml: tls = "ca" needs `ca`'),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(AskedWrong, match=told):
        entries(settings=settings)


def test_a_stranger_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AskedWrong, match=r"node 240ac4000000 is not in the registry: add a \[\[node\]\]"):
        who(tmp_path, "240ac4000000")


def test_a_node_without_a_place_must_be_told_what_it_watches(tmp_path: Path) -> None:
    nowhere = who(tmp_path, "240ac4a1b2c5")
    with pytest.raises(AskedWrong, match="has neither a bay nor a container"):
        entries(nowhere)
    assert settings_of(entries(nowhere, settings={"kind": "level"}))["kind"] == "level"


def test_the_firmware_takes_the_settings(tmp_path: Path) -> None:
    made = [entries(who(tmp_path, node)) for node in ("240ac4a1b2c3", "240ac4a1b2c4")]
    made.append(entries(settings={"tls": "psk", "link": "wifi+espnow", "led_pin": 2}))
    code = "from derb import config\n" + "".join(
        f"print(config.load({each['cfg']!r}).kind)\n" for each in made
    )
    said = subprocess.run(board_command(code, [firmware_dir()]), capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["parking", "level", "parking"]
