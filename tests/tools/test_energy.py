"""The energy model: arithmetic on examples made by hand, directions that must hold, and a page that equals the command."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from derb_tools import energy_figures, energy_setup, energy_text
from derb_tools.boards import board_names, load_board
from derb_tools.energy import Kind, Link
from derb_tools.energy_figures import CHEMISTRIES, CHIP_FIGURES, FIGURES, SENSORS, Basis
from derb_tools.energy_model import (
    PARTS,
    Setup,
    battery_days,
    dhcp_per_day,
    estimate,
    sends_per_day,
    variants,
    wakes_per_day,
)
from derb_tools.energy_page import page
from derb_tools.energy_setup import Asked, make_setup, seconds
from derb_tools.errors import AskedWrong
from hypothesis import given
from hypothesis import strategies as st
from tools.command import run_derb

ROOT = Path(__file__).parents[2]
NODES = [name for name in board_names() if load_board(name).role == "node"]
CHEMISTRY = CHEMISTRIES["li-ion"]
PARKING = Setup("esp32", 10, "parking", "wifi", SENSORS["lis3mdl"], CHEMISTRY, 3000, 300, 10, 30)
LEVEL = Setup("esp32", 10, "level", "wifi", SENSORS["hc-sr04"], CHEMISTRY, 3000, 1800, 1)


def step(setup: Setup, name: str) -> tuple[float, float]:
    (found,) = [each for each in estimate(setup).steps if each.name == name]
    return found.charge_uc, found.per_day


def test_a_battery_without_self_discharge_is_a_division() -> None:
    # 1000 mAh at 1 mA: 1000 hours.
    assert battery_days(1000 * 3_600_000, 1000 * 86_400, 0) == pytest.approx(1000 / 24)


def test_a_battery_without_load_lasts_for_ever() -> None:
    assert battery_days(1000, 0, 0.1) == math.inf


def test_self_discharge_alone_halves_a_battery_in_the_time_it_says() -> None:
    # 50 % a year lost: a load that would empty the battery in exactly ln 2 years of decay takes ln(1 + ln 2) / ln 2 years.
    days = battery_days(1_000_000, 1_000_000 / 365.25, 0.5)
    assert days == pytest.approx(365.25 * math.log1p(math.log(2)) / math.log(2))


def test_charge_is_kept_what_is_used_and_what_is_lost_make_the_battery() -> None:
    found = estimate(PARKING)
    whole = (found.load_uc_per_day + found.self_discharge_uc_per_day) * found.life_days
    assert whole == pytest.approx(3000 * 0.85 * 3_600_000)
    assert sum(found.part_uc_per_day(part) for part in PARTS) * found.life_days == pytest.approx(whole)


def test_a_bay_wakes_by_the_clock_and_by_its_field() -> None:
    assert wakes_per_day(PARKING) == 288 + 10 + 30
    assert sends_per_day(PARKING) == 10 + 1


def test_a_container_wakes_by_the_clock_only_and_gathers() -> None:
    assert wakes_per_day(LEVEL) == 48
    assert sends_per_day(LEVEL) == 1 + (48 + 1) / 4


def test_the_steps_of_a_bay_by_hand() -> None:
    assert step(PARKING, "boot MicroPython") == (28_000, 328)
    assert step(PARKING, "load the node and its memory") == (200 * 40, 328)
    # Each sample 12 ms at 40 mA, and a second of light sleep at 1,600 uA between two.
    assert step(PARKING, "look at the field by the clock") == (2 * 480 + 1600, 288)
    assert step(PARKING, "watch a car park or leave") == (20 * 480 + 19 * 1600, 10)
    # An address serves 6 hours; the next of 11 sends a day then comes after another 24 / 11 on average.
    dhcp = 24 / (6 + 24 / 11)
    assert step(PARKING, "join Wi-Fi, DHCP") == (201_000, pytest.approx(dhcp))
    assert step(PARKING, "join Wi-Fi, address known") == (96_900, pytest.approx(11 - dhcp))


def test_an_address_is_asked_for_by_each_send_where_sends_are_rare_and_after_each_that_failed() -> None:
    rare = replace(PARKING, events_per_day=0)
    assert dhcp_per_day(rare) == pytest.approx(24 / (6 + 24))
    assert dhcp_per_day(replace(PARKING, failed_share=0.5)) == pytest.approx(dhcp_per_day(PARKING) + 5.5)
    assert dhcp_per_day(replace(PARKING, failed_share=1)) == 11
    assert dhcp_per_day(replace(PARKING, fixed_address=True)) == 0
    assert dhcp_per_day(replace(rare, health_per_day=0)) == 0


def test_a_bay_whose_sensor_cannot_wake_it_looks_by_the_clock_only() -> None:
    blind = replace(PARKING, sensor=SENSORS["rm3100"], every_s=30)
    assert wakes_per_day(blind) == 2880
    assert step(blind, "look at the field by the clock") == (2 * 12 * 40 + 1600, 2880)
    # It finds a change, and samples eight times where it would have sampled twice.
    assert step(blind, "watch what a look found") == (6 * 480 + 5 * 1600, 10)
    assert "cannot wake the board" in told(blind)
    assert "every 30 s" not in told(blind)
    assert "every 30 s" in told(replace(blind, every_s=300))
    assert "cannot wake" not in told(PARKING)


def test_a_ranger_that_sends_by_itself_keeps_the_board_awake_for_as_long_as_it_takes() -> None:
    uart = replace(LEVEL, sensor=SENSORS["a02yyuw-switched"])
    assert step(uart, "9 pings")[0] == pytest.approx(9 * 200 * (40 + 8))
    always = estimate(replace(LEVEL, sensor=SENSORS["a02yyuw"]))
    assert always.part_uc_per_day("sensor standby") / 3_600_000 == pytest.approx(8 * 24)


def test_the_pings_of_a_container_by_hand() -> None:
    # 9 pings of 70 ms at 40 mA of chip and 15 mA of ranger behind a converter of 1.6.
    charge_uc, per_day = step(LEVEL, "9 pings")
    assert (charge_uc, per_day) == (pytest.approx(9 * 70 * (40 + 15 * 1.6)), 48)


def test_light_sleep_carries_what_the_board_draws_beside_the_chip() -> None:
    board = replace(PARKING, board_sleep_ua=510)
    charge_uc, _ = step(board, "watch something pass")
    assert charge_uc == 8 * 480 + 7 * (1600 + 500)


def test_sleep_by_hand() -> None:
    # 10 uA for a day: 0.24 mAh.
    assert estimate(PARKING).part_uc_per_day("sleep") / 3_600_000 == pytest.approx(0.24)


def test_failed_sends_cost_what_their_share_says() -> None:
    more = estimate(replace(PARKING, failed_share=0.1)).load_uc_per_day - estimate(PARKING).load_uc_per_day
    # After each of them the address is asked for again.
    assert more == pytest.approx(11 * 0.1 * (1_800_000 + 201_000 - 96_900))


SETUPS = st.builds(
    Setup,
    chip=st.sampled_from(sorted(CHIP_FIGURES)),
    board_sleep_ua=st.floats(0, 5000),
    kind=st.just("parking"),
    link=st.sampled_from(["wifi", "espnow"]),
    sensor=st.just(SENSORS["lis3mdl"]),
    chemistry=st.sampled_from(list(CHEMISTRIES.values())),
    battery_mah=st.floats(100, 20_000),
    every_s=st.integers(5, 43_200),
    events_per_day=st.floats(0, 500),
    passers_per_day=st.floats(0, 500),
)


def days(setup: Setup) -> float:
    return estimate(setup).life_days


@given(SETUPS, st.floats(0.5, 500))
def test_more_work_never_lengthens_life(setup: Setup, more: float) -> None:
    before = days(setup)
    assert days(replace(setup, events_per_day=setup.events_per_day + more)) < before
    assert days(replace(setup, passers_per_day=setup.passers_per_day + more)) < before
    assert days(replace(setup, board_sleep_ua=setup.board_sleep_ua + more)) < before
    assert days(replace(setup, every_s=setup.every_s * 2)) > before
    assert days(replace(setup, battery_mah=setup.battery_mah + more)) > before


@given(SETUPS)
def test_a_cheaper_way_lengthens_life(setup: Setup) -> None:
    wifi = replace(setup, link="wifi", events_per_day=setup.events_per_day + 1)
    assert days(replace(wifi, link="espnow")) > days(replace(wifi, fixed_address=True)) > days(wifi)
    assert days(replace(wifi, frozen=True)) > days(wifi)


def test_gathering_more_readings_lengthens_a_containers_life() -> None:
    lives = [days(replace(LEVEL, report_every=count)) for count in (1, 2, 4, 8, 48)]
    assert lives == sorted(lives)


@pytest.mark.parametrize("setup", [PARKING, LEVEL], ids=["parking", "level"])
def test_every_variant_changes_something(setup: Setup) -> None:
    changed = variants(replace(setup, board_sleep_ua=500), 10, SENSORS["hc-sr04-switched"])
    assert all(days(each) != days(replace(setup, board_sleep_ua=500)) for each in changed.values())


def test_every_figure_has_a_source_and_a_unit() -> None:
    for name, figure in FIGURES.items():
        assert name.rpartition("_")[2] in ("uc", "ms", "s", "samples"), name
        assert figure.value > 0
        assert len(figure.source) > 10
    for chip in CHIP_FIGURES.values():
        assert all(figure.source for figure in vars(chip).values())
    assert {figure.basis for figure in FIGURES.values()} <= set(Basis)


@pytest.mark.parametrize(
    ("text", "every_s"), [("90", 90), ("90s", 90), ("5m", 300), ("1h", 3600), (" 24h ", 86_400), ("5s", 5)]
)
def test_times_are_read(text: str, every_s: int) -> None:
    assert seconds(text) == every_s


@pytest.mark.parametrize("text", ["", "5x", "-5m", "1.5h", "4s", "25h", "0", "h", "9999999s", "five"])
def test_times_that_a_node_cannot_keep_are_refused(text: str) -> None:
    with pytest.raises(AskedWrong, match="--every"):
        seconds(text)


def test_the_bounds_of_every_are_those_of_the_firmware() -> None:
    source = (ROOT / "firmware" / "derb" / "config.py").read_text("utf-8")
    assert f'"wake_s": (300, {energy_setup.LEAST_S}, {energy_setup.MOST_S})' in source
    assert '"pings": (9, ' in source
    assert '"report_every": (4, ' in source
    assert '"awake_ms": (15000, ' in source
    assert f'"lease_s": ({FIGURES["lease_s"].value}, ' in source


@pytest.mark.parametrize(
    ("board", "asked", "words"),
    [
        ("olimex-esp32-poe", Asked(), "relay on mains"),
        ("xiao-esp32c6", Asked(mended=True), "leave out --mended"),
        ("xiao-esp32c6", Asked(sensor="hc-sr04"), "no sensor for parking"),
        ("xiao-esp32c6", Asked(kind="level", sensor="hcsr04"), 'did you mean "hc-sr04"'),
        ("xiao-esp32c6", Asked(battery="lion"), 'did you mean "li-ion"'),
        ("xiao-esp32c6", Asked(kind="level", passers_per_day=5), "--passers-per-day changes nothing without"),
        ("xiao-esp32c6", Asked(report_every=4), "--report-every changes nothing without --kind level"),
        ("xiao-esp32c6", Asked(link="espnow", fixed_address=True), "--fixed-address changes nothing without"),
    ],
)
def test_what_does_not_go_together_is_refused(board: str, asked: Asked, words: str) -> None:
    with pytest.raises(AskedWrong, match=words):
        make_setup(load_board(board), asked)


@pytest.mark.parametrize("board", NODES)
@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("link", list(Link))
def test_every_board_has_an_answer(board: str, kind: str, link: str) -> None:
    found = estimate(make_setup(load_board(board), Asked(kind=kind, link=link)))
    assert 1 < found.life_days < 3660
    assert json.loads(json.dumps(energy_text.as_json(found)))["modelled"] is True


def told(setup: Setup, wake: str = "ext0", mend: str | None = None) -> str:
    return "\n".join(energy_text.warnings(estimate(setup), wake, mend))


def test_a_board_that_sleeps_badly_is_warned_of() -> None:
    assert "loses more to sleep than to radio" in told(replace(PARKING, board_sleep_ua=520), mend="cut it")
    assert "cut it" in told(replace(PARKING, board_sleep_ua=520), mend="cut it")
    assert "loses more" not in told(replace(PARKING, board_sleep_ua=10))


def test_a_sensor_that_is_never_off_is_warned_of() -> None:
    assert "switch its supply" in told(LEVEL)
    assert "switch its supply" not in told(replace(LEVEL, sensor=SENSORS["hc-sr04-switched"]))


def test_other_traps_are_warned_of() -> None:
    assert "wake_on_gpio" in told(PARKING, wake="gpio")
    assert "wake_on" not in told(LEVEL, wake="gpio")
    assert "drift" in told(replace(PARKING, every_s=3600))
    idle = replace(PARKING, every_s=86_400, events_per_day=0, passers_per_day=0, battery_mah=20_000)
    assert "a smaller one, or li-socl2, wastes less" in told(idle)
    assert "a smaller one wastes less" in told(
        replace(idle, chemistry=CHEMISTRIES["li-socl2"], battery_mah=500_000)
    )
    # What watches must have its supply.
    assert "switch its supply" not in told(idle)


def test_lives_are_said_as_people_say_them() -> None:
    said = [energy_text.life(each) for each in (0.02, 1.9, 16.2, 119.9, 200, 700, 1000, 5000, math.inf)]
    assert said == [
        "0.5 hours",
        "45.6 hours",
        "16 days",
        "120 days",
        "7 months",
        "23 months",
        "2.7 years",
        "over 10 years",
        "over 10 years",
    ]


def test_the_command_answers_with_table_warning_and_assumptions() -> None:
    finished = run_derb(
        "energy", "--board", "firebeetle2-esp32-e", "--kind", "parking", "--link", "wifi", "--every", "5m"
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    for words in (
        "modelled",
        "boot MicroPython",
        "Warning: this board loses more to sleep",
        "Assumptions",
        "glenn20",
    ):
        assert words in finished.stdout


def test_the_command_speaks_json() -> None:
    values = json.loads(
        run_derb("energy", "--kind", "level", "--link", "espnow", "--every", "1h", "--json").stdout
    )
    found = estimate(make_setup(load_board("firebeetle2-esp32-e"), Asked("level", "espnow", 3600)))
    assert values["life_days"] == round(found.life_days, 1)
    assert values["modelled"] is True
    assert values["warnings"]
    assert values["assumptions"]
    assert sum(values["uc_per_day"].values()) == pytest.approx(
        found.load_uc_per_day + found.self_discharge_uc_per_day, abs=10
    )


def test_a_board_of_ones_own_is_reckoned_with(tmp_path: Path) -> None:
    own = tmp_path / "our-board.toml"
    own.write_text(
        (ROOT / "boards" / "xiao-esp32c6.toml")
        .read_text("utf-8")
        .replace("sleep_current_ua = 14.3", "sleep_current_ua = 143")
    )
    values = json.loads(run_derb("energy", "--board", own, "--json").stdout)
    assert (values["board"], values["board_sleep_ua"]) == ("our-board", 143)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--board", "firebeetle"), "firebeetle2-esp32-e"),
        (("--every", "soon"), "5m or 1h"),
        (("--kind", "both"), "parking"),
        (("--link", "lora"), "espnow"),
        (("--battery-mah", "0"), "greater than or equal to 1"),
        (("--events-per-day", "-1"), "greater than or equal to 0"),
        (("--sensor", "hc-sr04"), "lis3mdl"),
        (("--board", "olimex-esp32-poe"), "relay on mains"),
    ],
)
def test_misuse_exits_2_and_says_what_would_do(arguments: tuple[str, ...], words: str) -> None:
    finished = run_derb("energy", *arguments)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert words in " ".join(finished.stderr.split())


def test_help_teaches_with_examples() -> None:
    told_by_help = run_derb("energy", "--help").stdout
    assert told_by_help.count("  derb energy ") >= 4
    assert "modelled" in told_by_help


def test_the_examples_of_the_help_run() -> None:
    lines = run_derb("energy", "--help").stdout.splitlines()
    for example in [line.split()[2:] for line in lines if line.strip().startswith("derb energy --")]:
        assert run_derb("energy", *example).returncode == 0, example


def test_the_tables_of_the_page_are_the_commands() -> None:
    text = (ROOT / "docs" / "energy.md").read_text("utf-8")
    begin, end = "<!-- derb energy --compare -->\n", "\n<!-- end of derb energy --compare -->"
    assert text.count(begin) == text.count(end) == 1
    assert text.partition(begin)[2].partition(end)[0].strip() == page().strip()
    assert run_derb("energy", "--compare").stdout.strip() == page().strip()


def test_the_figures_are_the_ones_of_their_sources() -> None:
    # Spot checks against glenn20's published tables, in mC.
    assert (FIGURES["wifi_dhcp_uc"].value + 3320) / 1000 == pytest.approx(204.3, abs=0.1)
    assert (FIGURES["wifi_fixed_uc"].value + 3320) / 1000 == pytest.approx(100.2, abs=0.1)
    assert (FIGURES["espnow_uc"].value + 3320) / 1000 == pytest.approx(7.68)
    assert energy_figures.CHIP_FIGURES["esp32s3"].boot_uc.value / 1000 == 26.5
