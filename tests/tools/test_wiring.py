"""Wiring is what the board files say, in the terminal, in the pictures and on the page."""

import ast
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from derb_tools.boards import load_board, load_boards
from derb_tools.chips import CHIPS
from derb_tools.errors import AskedWrong
from derb_tools.street.container import PINGERS
from derb_tools.wiring import PARTS, kinds_of, wires
from derb_tools.wiring_command import listed
from derb_tools.wiring_page import page, pictures
from derb_tools.wiring_picture import WIDTH, picture
from tools.command import run_derb

DOCS = Path(__file__).parents[2] / "docs"
ALL = [(name, kind) for name, board in load_boards().items() for kind in kinds_of(board)]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_every_wire_to_a_pin_is_one_that_the_board_file_names_and_no_pin_has_two(
    name: str, kind: str
) -> None:
    board = load_board(name)
    gpios = [
        int(wire.board_pin.removeprefix("GPIO ")) for wire in wires(board, kind) if "GPIO" in wire.board_pin
    ]
    assert set(gpios) <= set(board.pins.given().values())
    assert len(gpios) == len(set(gpios))
    assert not set(gpios) & set(CHIPS[board.chip].refused)


@pytest.mark.parametrize("name", [name for name, kind in ALL if kind == "level"])
def test_five_volts_never_reach_a_pin_bare(name: str) -> None:
    echo = next(wire for wire in wires(load_board(name), "level") if wire.part_pin == "ECHO")
    assert (echo.through, echo.down) == ("1 kohm", "2 kohm")


@pytest.mark.parametrize("sensor", [name for name, part in PARTS.items() if part.kind == "level"])
def test_only_a_ranger_of_five_volts_gets_them_and_its_resistors(sensor: str) -> None:
    drawn = [wire for wire in wires(load_board("xiao-esp32c3"), "level", sensor) if wire.side == "sensor"]
    assert drawn[0].board_pin == ("5 V" if sensor == "hc-sr04" else "3V3")
    assert [bool(wire.through) for wire in drawn] == [False] * (len(drawn) - 1) + [sensor == "hc-sr04"]
    assert drawn[-1].board_pin == "GPIO 3"  # echo_pin
    speaks = PARTS[sensor].ranger != "hcsr04"
    assert ("GPIO 10" in [wire.board_pin for wire in drawn]) != speaks  # trig_pin
    assert (f"ranger = {PARTS[sensor].ranger}" in drawn[-1].why) == speaks


@pytest.mark.parametrize("sensor", [name for name, part in PARTS.items() if part.kind == "parking"])
def test_only_a_chip_that_wakes_the_board_gets_the_wire_for_it(sensor: str) -> None:
    drawn = wires(load_board("xiao-esp32c3"), "parking", sensor)
    assert ("INT" in [wire.part_pin for wire in drawn]) == (sensor == "lis3mdl")


def test_every_ranger_that_the_firmware_knows_can_be_drawn_and_another_is_refused() -> None:
    assert {part.ranger for part in PARTS.values()} - {""} == set(literal("config.py", "_WORDS")["ranger"][1])
    names = {name for _, _, _, _, name in literal("drivers/probe.py", "_KNOWN")}
    assert {part.title for part in PARTS.values() if part.kind == "parking"} == names
    assert "A02YYUW" in picture(load_board("xiao-esp32c3"), "level", "a02yyuw")
    for kind, sensor, words in (
        ("level", "lis3mdl", "there is no sensor for level 'lis3mdl'"),
        ("level", "a02yyw", 'did you mean "a02yyuw"?'),
    ):
        with pytest.raises(AskedWrong) as refused:
            wires(load_board("xiao-esp32c3"), kind, sensor)
        assert words in str(refused.value)


def test_a_divider_is_drawn_where_it_is_to_be_soldered_only() -> None:
    def soldered(name: str) -> list[str]:
        return [
            wire.down for wire in wires(load_board(name), "parking") if wire.side == "battery" and wire.down
        ]

    assert soldered("firebeetle2-esp32-e") == []
    assert soldered("xiao-esp32c3") == ["1 Mohm"]


def test_a_board_that_cannot_be_such_a_node_is_refused() -> None:
    with pytest.raises(AskedWrong, match="cannot be 'parking'; it can be relay"):
        wires(load_board("olimex-esp32-poe"), "parking")


@pytest.mark.parametrize(("name", "kind"), ALL)
def test_a_picture_says_every_wire_and_stays_within_its_frame(name: str, kind: str) -> None:
    board = load_board(name)
    root = ET.fromstring(picture(board, kind))
    said = [each.text for each in root.iter(f"{SVG}text")]
    for wire in wires(board, kind):
        assert {wire.board_pin, wire.part_pin} <= set(said)
    high = float(root.attrib["viewBox"].split()[3])
    for box in root.iter(f"{SVG}rect"):
        x, y = float(box.get("x", 0)), float(box.get("y", 0))
        assert x + float(box.attrib["width"]) <= WIDTH
        assert y + float(box.attrib["height"]) <= high
    lines = [each for each in root.iter(f"{SVG}line") if each.attrib["y1"] == each.attrib["y2"]]
    assert len(lines) == len(wires(board, kind))


def test_the_page_and_its_pictures_are_those_of_the_board_files() -> None:
    assert page() in (DOCS / "wiring.md").read_text("utf-8"), "run `derb wiring --docs docs`"
    drawn = {path.name: path.read_text("utf-8") for path in (DOCS / "wiring").iterdir()}
    assert drawn == pictures(), "run `derb wiring --docs docs`"


def test_the_command_says_draws_and_refuses(tmp_path: Path) -> None:
    said = run_derb("wiring", "firebeetle2-esp32-e", "level").stdout
    assert "GPIO 25  sensor TRIG  trig_pin" in said
    assert said.splitlines() == list(listed(wires(load_board("firebeetle2-esp32-e"), "level")))
    told = json.loads(run_derb("wiring", "xiao-esp32c6", "parking", "--json").stdout)
    assert {"GPIO 23", "GPIO 22", "GPIO 1"} <= {wire["board_pin"] for wire in told}
    assert run_derb("wiring", "xiao-esp32c6", "--svg", tmp_path / "it.svg").returncode == 0
    assert (tmp_path / "it.svg").read_text() == picture(load_board("xiao-esp32c6"), "parking")
    other = run_derb("wiring", "xiao-esp32c3", "level", "--sensor", "a02yyuw").stdout
    assert "GPIO 3   sensor TX    echo_pin, ranger = a02yyuw" in other
    assert run_derb("wiring").returncode == 2
    assert run_derb("wiring", "xiao-esp32c6", "relay").returncode == 2


def test_the_page_is_made_anew_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "wiring.md").write_text(
        "# Mine\n<!-- made by `derb wiring --docs` -->\nold\n<!-- end -->\nbelow\n"
    )
    assert run_derb("wiring", "--docs", tmp_path).returncode == 0
    made = (tmp_path / "wiring.md").read_text()
    assert made.startswith("# Mine\n")
    assert made.endswith("<!-- end -->\nbelow\n")
    assert page() in made
    assert "old" not in made.split("\n")
    (tmp_path / "wiring.md").write_text("# Mine\n")
    refused = run_derb("wiring", "--docs", tmp_path)
    assert (refused.returncode, "has no place for the tables" in refused.stderr) == (1, True)


def literal(module: str, name: str) -> Any:
    """A constant of the firmware, read and not run."""
    tree = ast.parse((DOCS.parent / "firmware" / "derb" / module).read_text("utf-8"))
    (value,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    )
    return ast.literal_eval(value)


def test_the_page_names_every_sensor_that_the_firmware_knows() -> None:
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in (DOCS / "wiring.md").read_text("utf-8").splitlines()
        if line.startswith("| ")
    ]
    addresses: dict[str, set[int]] = {}
    for address, _, _, _, name in literal("drivers/probe.py", "_KNOWN"):
        addresses.setdefault(name, set()).add(address)
    for name, known in addresses.items():
        (row,) = [row for row in rows if row[0] == name]
        told = [int(hexadecimal, 16) for hexadecimal in re.findall("0x[0-9A-F]+", row[1])]
        assert set(range(told[0], told[-1] + 1) if " to " in row[1] else told) == known
        assert row[2].startswith("yes") == (name == "LIS3MDL")
    for ranger in literal("config.py", "_WORDS")["ranger"][1]:
        assert any(row[1].startswith(f"`{ranger}`") for row in rows), ranger


def test_the_page_tells_the_rangers_apart_as_the_simulator_and_the_firmware_do() -> None:
    text = (DOCS / "wiring.md").read_text("utf-8")
    for name, known in PINGERS.items():
        assert f"| {name} | {known.blind_mm} | {known.reach_mm} | {known.beam_deg:g} |" in text
    for ranger, limits in literal("container.py", "_LIMITS").items():
        (name,) = [part.title for part in PARTS.values() if part.ranger == ranger]
        assert (PINGERS[name].blind_mm, PINGERS[name].reach_mm) == limits
