"""Board files: every shipped one is sound, and every mistake names its file, its key and a remedy."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from derb_tools.boards import Board, load_board, load_boards, read_board
from derb_tools.boards_command import explain
from derb_tools.chips import CHIPS
from derb_tools.errors import AskedWrong, BoardFileError
from derb_tools.firmware_files import boards_dir, firmware_dir
from derb_tools.pin_rules import pin_problems
from tools.command import run_derb

SHIPPED = sorted(path.stem for path in boards_dir().glob("*.toml"))

GOOD = """
name = "A board"
chip = "esp32"
image = "ESP32_GENERIC"
role = "node"
flash_mb = 4
header = [2, 4, 5, 6, 12, 13, 16, 18, 19, 21, 22, 23, 25, 26, 27, 32, 33, 34, 35, 36]
usb = ["10c4:ea60"]
sleep_current_ua = 500
sleep_basis = "measured"
sleep_source = "a bench"
sleep_note = "nothing is known against it"
[layout]
nvs = { at = 0x9000, size = 0x6000 }
phy_init = { at = 0xf000, size = 0x1000 }
app = { at = 0x10000, size = 0x1f0000 }
vfs = { at = 0x200000, size = 0x200000 }
[pins]
i2c_scl = 22
i2c_sda = 21
int_pin = 33
trig_pin = 26
echo_pin = 27
batt_pin = 35
[battery]
connector = true
divider = "external"
batt_ratio_x100 = 200
[wake]
method = "ext0"
pins = [4, 25, 32, 33, 34]
[mend]
sleep_current_ua = 12
how = "cut the pad"
source = "a bench"
[[taken]]
pin = 16
by = "the PSRAM"
"""

# What is changed in the good file, and words that the message must have besides the file's name.
BAD = {
    "unknown key": (
        'role = "node"',
        'role = "node"\nsleep_curent_ua = 5',
        "sleep_curent_ua: unknown key",
        "sleep_current_ua",
    ),
    "unknown key in a table": (
        "i2c_scl = 22",
        "i2c_clk = 22\ni2c_scl = 22",
        "pins.i2c_clk: unknown key",
        '"i2c_scl"',
    ),
    "unknown table": ("[mend]", "[mending]", "mending: unknown key", '"mend"'),
    "no name": ('name = "A board"', "", "name: is missing"),
    "no source": ('sleep_source = "a bench"', "", "sleep_source: is missing"),
    "no image": ('image = "ESP32_GENERIC"', "", "image: is missing"),
    "empty source": ('sleep_source = "a bench"', 'sleep_source = ""', "sleep_source: ", "at least 3"),
    "unknown chip": ('chip = "esp32"', 'chip = "esp8266"', "chip: ", "'esp32c3'", "esp8266"),
    "unknown role": ('role = "node"', 'role = "gateway"', "role: ", "'relay'"),
    "odd flash": ("flash_mb = 4", "flash_mb = 5", "flash_mb: ", "8, 16"),
    "flash as text": ("flash_mb = 4", 'flash_mb = "4"', "flash_mb: "),
    "negative current": (
        "sleep_current_ua = 500",
        "sleep_current_ua = -5",
        "sleep_current_ua: ",
        "greater than or equal to 0",
    ),
    "current in words": ("sleep_current_ua = 500", 'sleep_current_ua = "low"', "sleep_current_ua: "),
    "basis of hearsay": (
        'sleep_basis = "measured"',
        'sleep_basis = "hearsay"',
        "sleep_basis: ",
        "'estimated'",
    ),
    "ratio as a float": (
        "batt_ratio_x100 = 200",
        "batt_ratio_x100 = 2.0",
        "battery.batt_ratio_x100: ",
        "integer",
    ),
    "ratio too small": ("batt_ratio_x100 = 200", "batt_ratio_x100 = 2", "battery.batt_ratio_x100: ", "100"),
    "half an I2C bus": ("i2c_sda = 21", "", "pins: i2c_scl and i2c_sda come together"),
    "a node without wake": ('[wake]\nmethod = "ext0"\npins = [4, 25, 32, 33, 34]', "", "needs [wake]"),
    "a worse mend": (
        "sleep_current_ua = 12",
        "sleep_current_ua = 600",
        "mend.sleep_current_ua must be below",
    ),
    "wake by gpio on an ESP32": (
        'method = "ext0"',
        'method = "gpio"',
        "wake.method: the esp32 has no gpio",
        "ext0, ext1",
    ),
    "wake pin that cannot": ("pins = [4, 25", "pins = [4, 18, 25", "wake.pins: GPIO 18 cannot wake"),
    "interrupt not among the wake pins": (
        "[4, 25, 32, 33, 34]",
        "[4, 25]",
        "pins.int_pin: GPIO 33 is not in wake.pins",
    ),
    "interrupt that cannot wake": (
        "int_pin = 33",
        "int_pin = 18",
        "pins.int_pin: GPIO 18",
        "cannot wake",
        "free for it: 4",
    ),
    "strapping pin": (
        "trig_pin = 26",
        "trig_pin = 5",
        "pins.trig_pin: GPIO 5",
        "strapping",
        "free for it: 4",
    ),
    "flash pin": ("trig_pin = 26", "trig_pin = 6", "pins.trig_pin: GPIO 6", "flash chip"),
    "input as output": ("i2c_scl = 22", "i2c_scl = 34", "pins.i2c_scl: GPIO 34", "input only"),
    "battery on ADC2": ("batt_pin = 35", "batt_pin = 25", "pins.batt_pin: GPIO 25", "ADC2", "Wi-Fi"),
    "battery on no converter": (
        "batt_pin = 35",
        "batt_pin = 23",
        "pins.batt_pin: GPIO 23",
        "no analogue converter",
    ),
    "no such pin": ("trig_pin = 26", "trig_pin = 24", "pins.trig_pin: GPIO 24", "has no such pin"),
    "pin not on the header": (
        "trig_pin = 26",
        "trig_pin = 14",
        "pins.trig_pin: GPIO 14",
        "not on the board's header",
    ),
    "pin of the board's own": ("trig_pin = 26", "trig_pin = 16", "pins.trig_pin: GPIO 16", "the PSRAM"),
    "one pin twice": ("echo_pin = 27", "echo_pin = 26", "pins.echo_pin: GPIO 26", "trig_pin has it already"),
    "pin far out of range": ("trig_pin = 26", "trig_pin = 99", "pins.trig_pin: ", "less than or equal to 48"),
    "no USB identity": ('usb = ["10c4:ea60"]', "", "usb: is missing"),
    "a USB identity in words": ('["10c4:ea60"]', '["CP2102N"]', "usb[0]: ", "[0-9a-f]{4}:[0-9a-f]{4}"),
    "no file system": ("vfs = { at = 0x200000, size = 0x200000 }", "", "layout.vfs: is missing"),
    "a partition beyond the flash": (
        "at = 0x200000, size = 0x200000",
        "at = 0x200000, size = 0x300000",
        "layout.vfs: ends at 0x500000, beyond the 4 MB",
        "make it smaller",
    ),
    "partitions that overlap": (
        "at = 0xf000, size = 0x1000",
        "at = 0xe000, size = 0x1000",
        "layout.phy_init: begins at 0xe000, inside nvs, which ends at 0xf000",
    ),
    "an app off its alignment": (
        "at = 0x10000, size = 0x1f0000",
        "at = 0x11000, size = 0x1ef000",
        "layout.app: must begin at a multiple of 0x10000",
    ),
    "a partition in the place of the table": (
        "at = 0x9000, size = 0x6000",
        "at = 0x8000, size = 0x6000",
        "layout.nvs: must begin at 0x9000 or later",
    ),
    "half a sector": ("size = 0x1000 }", "size = 0x800 }", "layout.phy_init: must be a multiple of 0x1000"),
    "settings without a page to spare": (
        "at = 0x9000, size = 0x6000",
        "at = 0x9000, size = 0x2000",
        "layout.nvs: must be 0x3000 or more",
    ),
    "not TOML": ("[pins]", "[pins", "is not TOML", "line"),
}


def board_file(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    return path


def test_the_boards_that_were_asked_for_are_there() -> None:
    assert len(SHIPPED) >= 7
    assert {load_board(name).chip for name in SHIPPED} == set(CHIPS)
    assert any(load_board(name).role == "relay" for name in SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_board_is_sound(name: str) -> None:
    board = load_board(name)
    assert board.role == "relay" or board.serves() == ["parking", "level"]
    assert board.sleep_source
    assert board.sleep_note
    assert board.sleep_basis != "estimated" or "not measured" in board.sleep_source


@pytest.mark.parametrize("name", SHIPPED)
def test_a_boards_pins_are_settings_that_a_node_takes(name: str) -> None:
    source = (firmware_dir() / "derb" / "config.py").read_text("utf-8")
    board = load_board(name)
    assert all(f'"{key}"' in source for key in (*board.pins.given(), "batt_ratio_x100"))
    assert all(0 <= pin <= 48 for pin in board.pins.given().values())


def test_all_boards_load_at_once() -> None:
    assert sorted(load_boards()) == SHIPPED


def test_the_good_file_of_these_tests_is_good(tmp_path: Path) -> None:
    assert read_board(board_file(tmp_path, GOOD)).serves() == ["parking", "level"]


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_with_file_key_and_remedy(case: str, tmp_path: Path) -> None:
    old, new, *wanted = BAD[case]
    assert GOOD.count(old) == 1 or case == "pin far out of range"
    path = board_file(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(BoardFileError) as caught:
        read_board(path)
    told = str(caught.value)
    assert told.startswith(str(path))
    assert all(word in told for word in wanted), told


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("flash_mb = 4", "flash_mb = 5").replace("trig_pin = 26", "trig_pin = 5")
    text = text.replace("i2c_scl = 22", "i2c_scl = 34").replace('how = "cut the pad"', "")
    with pytest.raises(BoardFileError) as caught:
        read_board(board_file(tmp_path, text))
    assert len(caught.value.problems) == 4
    assert all(re.search(r"mine\.toml:\d+: ", problem) for problem in caught.value.problems)


def test_the_mistakes_of_all_files_are_told(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(GOOD.replace("flash_mb = 4", ""), "utf-8")
    with pytest.raises(BoardFileError) as caught:
        load_boards(tmp_path)
    assert [Path(problem.partition(": ")[0]).stem for problem in caught.value.problems] == ["one", "two"]


def test_a_file_that_windows_saved_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_board(path).name == "A board"


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BoardFileError, match="cannot be read"):
        read_board(tmp_path / "none.toml")
    (tmp_path / "noise.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BoardFileError, match="not UTF-8"):
        read_board(tmp_path / "noise.toml")


def test_an_unknown_board_comes_with_the_nearest() -> None:
    with pytest.raises(AskedWrong, match='did you mean "xiao-esp32c3"'):
        load_board("xiao-esp32-c3")


@pytest.mark.parametrize("chip", CHIPS.values(), ids=CHIPS)
def test_no_pin_of_the_flash_or_of_strapping_is_ever_free(chip) -> None:  # type: ignore[no-untyped-def]
    for key in ("trig_pin", "int_pin", "batt_pin"):
        for pin in chip.refused:
            assert key in pin_problems(chip, {key: pin}, (), {})


def test_a_relay_needs_no_pins() -> None:
    relay = load_board("olimex-esp32-poe")
    assert relay.pins.given() == {}
    assert "mains" in "\n".join(explain("olimex-esp32-poe", relay))


def test_the_command_lists_and_explains() -> None:
    listed = run_derb("boards")
    assert listed.returncode == 0
    assert all(name in listed.stdout for name in SHIPPED)
    explained = run_derb("boards", "firebeetle2-esp32-e").stdout
    assert all(
        word in explained for word in ("int_pin     GPIO 4", "520 uA", "11.6 uA", "low-power pad", "GPIO 5: ")
    )


def test_the_command_speaks_json() -> None:
    values = json.loads(run_derb("boards", "xiao-esp32c6", "--json").stdout)
    assert Board.model_validate(values["xiao-esp32c6"]) == load_board("xiao-esp32c6")


def test_the_command_checks_a_file_of_ones_own(tmp_path: Path) -> None:
    good = run_derb("boards", board_file(tmp_path, GOOD))
    assert (good.returncode, good.stderr) == (0, "")
    bad = run_derb("boards", board_file(tmp_path, GOOD.replace("trig_pin = 26", "trig_pin = 12")))
    assert (bad.returncode, bad.stdout) == (1, "")
    assert (
        "pins.trig_pin: GPIO 12 cannot be trig_pin: it is a strapping pin: high sets the flash to 1.8 V"
        in bad.stderr
    )


def test_the_command_refuses_an_unknown_name_as_misuse() -> None:
    finished = run_derb("boards", "firebetle")
    assert (finished.returncode, finished.stdout) == (2, "")
    assert "firebeetle2-esp32-e" in finished.stderr


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_files_are_plain_ascii_toml(name: str) -> None:
    text = (boards_dir() / f"{name}.toml").read_bytes().decode("ascii")
    assert tomllib.loads(text)["name"]
