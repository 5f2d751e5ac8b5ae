"""A self-test's figures: what passes, and what to do where something does not; and the command against a node at a cable."""

from __future__ import annotations

import json
import math
import random
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from campaign import size
from derb_tools.at_node import WAIT_DEFAULT_S
from derb_tools.board import Battery, HcSr04
from derb_tools.prompt import Prompt
from derb_tools.selftest import run_selftest
from derb_tools.selftest_verdicts import (
    Check,
    distance_mm,
    of_battery,
    of_chips,
    of_echoes,
    of_field,
    of_identity,
    of_wake,
)
from derb_tools.usb_port import find_port
from gateway.kit import DEADLINE_S
from tools.board.tiny import write_echo
from tools.command import run_derb
from tools.desk import SETTINGS, Desk, at_desk, bay_board, noisy, slow

WAKE = {
    "awake_ms": 2400,
    "sleep_ms": 57_000,
    "delivered": True,
    "rssi_dbm": -61,
    "phases": [1, 2, 3, 5, 7, 6, 7, 9, 10, 11, 12],
    "connect_ms": 1500,
    "exchange_ms": 200,
    "gated": False,
    "said": [],
}


def failed(checks: Mapping[str, Check]) -> set[str]:
    return {name for name, check in checks.items() if not check.passed}


def by_name(checks: Any) -> dict[str, Check]:
    return {check.check: check for check in checks}


def test_a_good_wake_passes() -> None:
    checks = by_name(of_wake(WAKE))
    assert not failed(checks)
    assert checks["radio"].value == "-61 dBm"


@pytest.mark.parametrize(
    ("changed", "check", "word"),
    [
        ({"said": ["failed no Wi-Fi: status 201"], "phases": [5, 7]}, "radio", "ssid"),
        ({"said": ["failed no relay answers"], "phases": [5]}, "radio", "relay"),
        ({"said": ["failed MQTT: OSError -3"], "phases": [5, 7, 6]}, "broker", "name"),
        ({"said": ["failed MQTT: OSError 111"], "phases": [5, 7, 6, 7]}, "broker", "broker up"),
        ({"said": ["failed no TLS: x"], "phases": [5, 7, 6, 7, 8]}, "broker", "certificate"),
        ({"delivered": False, "said": ["failed no receipt in time"]}, "receipt", "registry"),
        ({"rssi_dbm": -92}, "radio", "antenna"),
        ({"gated": True}, "radio", "battery"),
    ],
)
def test_a_wake_that_got_nowhere_says_how_far_and_what_to_do(
    changed: dict[str, Any], check: str, word: str
) -> None:
    checks = by_name(of_wake({**WAKE, **changed}))
    assert failed(checks) == {check}
    assert word in checks[check].do


def test_a_quiet_field_passes_and_a_stuck_loud_or_crowded_one_does_not() -> None:
    quiet = [[29000 + 300 * (-1) ** i, -300, 30000 + 100 * (i % 3)] for i in range(12)]
    assert not failed(by_name(of_field({"field_nt": quiet})))
    assert failed(by_name(of_field({"field_nt": [[29000, 0, 30000]] * 12}))) == {"noise"}
    loud = [[29000 + 5000 * (i % 2), 0, 30000] for i in range(12)]
    assert failed(by_name(of_field({"field_nt": loud}))) == {"noise"}
    crowded = [[290_000 + 300 * (i % 2), 0, 30000] for i in range(12)]
    assert failed(by_name(of_field({"field_nt": crowded}))) == {"field"}


def test_echoes_that_agree_pass_and_lost_scattered_or_too_long_ones_do_not() -> None:
    echo_us = 8_000
    assert math.isclose(distance_mm(echo_us, 2000), 1373, abs_tol=2)
    assert not failed(by_name(of_echoes({"echoes_us": [echo_us] * 18, "temp_c100": 2000}, 1500)))
    lost = [echo_us] * 6 + [-2] * 12
    assert failed(by_name(of_echoes({"echoes_us": lost, "temp_c100": 2000}, 1500))) == {"echoes"}
    scattered = [echo_us - 500 * (i % 7) for i in range(18)]
    assert "echo spread" in failed(by_name(of_echoes({"echoes_us": scattered, "temp_c100": 2000}, 1500)))
    assert failed(by_name(of_echoes({"echoes_us": [echo_us] * 18, "temp_c100": 2000}, 1000))) == {"distance"}
    assert failed(by_name(of_echoes({"echoes_us": [-1] * 18, "temp_c100": 2000}, 1000))) == {"echoes"}


def test_battery_key_chips_and_settings_say_what_to_do() -> None:
    assert not failed(by_name(of_battery(None, 3300)))
    assert not failed(by_name(of_battery(3900, 3300)))
    assert failed(by_name(of_battery(3100, 3300))) == {"battery"}
    absent = [{"part": "magnetometer", "found": False, "says": "nothing answers on the bus"}]
    assert failed(by_name(of_chips(absent))) == {"magnetometer"}
    found = {"part": "magnetometer", "found": True, "name": "LIS3MDL"}
    assert by_name(of_chips([found | {"self_test": ""}]))["self-test"].passed
    assert failed(by_name(of_chips([found | {"self_test": "failed its self-test"}]))) == {"self-test"}
    assert set(by_name(of_chips([found | {"self_test": None}]))) == {"magnetometer"}
    assert failed(by_name(of_identity({"problem": "not JSON", "key": False}))) == {"settings", "key"}


def selftest(desk: Desk) -> tuple[int, dict[str, Any]]:
    done = desk.derb("selftest", "--json")
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    desk.wait_for(lambda: desk.ends()[-1:] == ["deepsleep"])
    return done.returncode, report


def problems(report: Mapping[str, Any]) -> set[str]:
    return {each["check"] for each in report["checks"] if not each["pass"]}


def test_a_node_without_its_sensor_in_a_dead_network_is_told_part_by_part(tmp_path: Path) -> None:
    board = bay_board(tmp_path)
    board.sensors = [replace(board.sensors[0], answers=False)]
    with at_desk(board, tmp_path) as desk:
        code, report = selftest(desk)
    assert code == 1
    assert not report["pass"]
    assert problems(report) == {"magnetometer", "broker"}
    assert all(each["do"] for each in report["checks"] if not each["pass"])


def test_a_container_node_is_judged_by_its_echoes_and_its_battery(tmp_path: Path) -> None:
    echoes = write_echo(tmp_path / "bin.echo", [(2000, [8000] * 15)] * 100)
    board = bay_board(
        tmp_path,
        config={**SETTINGS, "kind": "level", "batt_pin": 35},
        sensors=[HcSr04(echoes), Battery(mv=1450)],
    )
    with at_desk(board, tmp_path) as desk:
        code, report = selftest(desk)
    assert code == 1
    assert problems(report) == {"battery", "radio"}
    values = {each["check"]: each["value"] for each in report["checks"]}
    assert values["battery"] == "2900 mV"
    assert values["distance"].startswith("137")


def test_a_program_may_run_it_as_well(tmp_path: Path) -> None:
    with at_desk(bay_board(tmp_path, key=b""), tmp_path) as desk:
        seen: list[Check] = []
        with Prompt.open(find_port(desk.port), desk.tell, WAIT_DEFAULT_S) as prompt:
            node, checks = run_selftest(prompt, seen.append)
    assert node == desk.board.node_id.hex()
    assert seen == checks
    assert [check.check for check in checks if not check.passed] == ["key"]


def test_a_node_with_nothing_in_its_settings_is_told_so(tmp_path: Path) -> None:
    with at_desk(bay_board(tmp_path, config={"kind": "tram"}, key=b""), tmp_path) as desk:
        code, report = selftest(desk)
    assert code == 1
    assert problems(report) == {"settings", "key"}
    assert "kind must be one of" in report["checks"][0]["value"]


@pytest.mark.parametrize("harm", [noisy(5, 4000), slow(6000)], ids=["noisy", "slow"])
def test_over_a_bad_line_the_verdict_is_the_same(harm: Callable[[bytes], bytes], tmp_path: Path) -> None:
    with at_desk(bay_board(tmp_path), tmp_path) as desk:
        desk.cable.to_board = harm
        _, report = selftest(desk)
    assert problems(report) == {"broker"}
    assert len(report["checks"]) == 10


def test_interrupted_at_random_bytes_the_node_can_be_tested_again(tmp_path: Path) -> None:
    chance = random.Random(8)
    board = bay_board(tmp_path)
    with at_desk(board, tmp_path) as desk:
        settings, key = board.nvs()["derb"]["cfg"], board.nvs()["derb"]["key"]
        for _ in range(size(12, 2)):
            end_at = desk.cable.counts["to_board"] + chance.randrange(20, 9000)
            with desk.running("selftest") as process:
                while process.poll() is None and desk.cable.counts["to_board"] < end_at:
                    time.sleep(0.002)
                process.send_signal(chance.choice([signal.SIGINT, signal.SIGKILL]))
                assert process.wait(DEADLINE_S) in (1, 130, -signal.SIGKILL)
        _, report = selftest(desk)
        assert problems(report) == {"broker"}
    assert (board.nvs()["derb"]["cfg"], board.nvs()["derb"]["key"]) == (settings, key)


@pytest.mark.parametrize("typed", [["--port"], ["--wait", "0"], ["--nonsense"]])
def test_misuse_is_exit_code_2(typed: list[str]) -> None:
    assert run_derb("selftest", *typed).returncode == 2
