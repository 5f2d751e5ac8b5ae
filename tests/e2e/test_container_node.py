"""Whole container nodes on the simulated board: each ranger, a DS18B20, a LIS3DH; fire and fall told, an open lid not."""

import struct
from pathlib import Path

import pytest
from derb_tools.board import Ds18b20, HcSr04, Lis3dh, Part, SimBoard, UartRanger, WakeResult
from derb_tools.board.parts import Ds18b20 as Thermometer
from derb_tools.demo.plan import PlannedNode, Ports, make_board

from tests.e2e.rig import Rig, free_port

MM = 900
AIR_C100 = 3500
UPRIGHT, LYING, SLANT = (0, 0, 1000), (990, 40, 60), (300, 0, 954)
FULL, COLLECTED, FIRE, TILT, FAULT = 1, 2, 3, 4, 5
LEVEL_KIND, ALARM_KIND = "2", "4"
NO_TARGET = -2


def echo_us(mm: int, temp_c100: int = AIR_C100) -> int:
    return round(2 * mm / (0.3313 * (1 + temp_c100 / 27315) ** 0.5))


def recording(path: Path, *readings: list[int], period_ms: int = 300_000, temp_c100: int = AIR_C100) -> Path:
    """Readings of as many pings each, one a period."""
    pings = len(readings[0])
    with path.open("wb") as file:
        file.write(struct.pack("<8sIHHI", b"DERBECH1", period_ms, pings, 0, len(readings)))
        for reading in readings:
            file.write(struct.pack(f"<h{pings}i", temp_c100, *reading))
    return path


def node(parts: list[Part], **config: object) -> PlannedNode:
    settings = {"wake_s": 300, "awake_ms": 4000, "ds18b20_pin": 32, "report_every": 1, **config}
    return PlannedNode(bytes.fromhex("240ac4000001"), "bin-1", "level", parts, config=settings)


def board(folder: Path, parts: list[Part], **config: object) -> SimBoard:
    """One whose way out leads nowhere: what it keeps is what is looked at."""
    return make_board(folder / "boards", node(parts, **config), Ports(free_port(), free_port()), speed=0)


def kept(result: WakeResult) -> list[tuple[str, bytes]]:
    assert result.end == "deepsleep", result
    assert result.violations == []
    assert not result.said("Traceback"), result
    words = [line.split() for line in result.log if line.startswith("derb kept")]
    return [(word[4], bytes.fromhex(word[5])) for word in words]


def levels(result: WakeResult) -> list[int]:
    return [int.from_bytes(payload, "little") for kind, payload in kept(result) if kind == LEVEL_KIND]


def alarms(result: WakeResult) -> list[tuple[int, int]]:
    """(code, value) of each alarm."""
    found = []
    for payload in (payload for kind, payload in kept(result) if kind == ALARM_KIND):
        zigzag = sum((byte & 0x7F) << 7 * i for i, byte in enumerate(payload[1:]))
        found.append((payload[0], zigzag >> 1 ^ -(zigzag & 1)))
    return found


def run(running: SimBoard, until_ms: int) -> list[WakeResult]:
    """All wakes up to that street time; those that only try to send again are among them."""
    results = [running.wake()]
    while (running.next_wake_ms() or 0) <= until_ms:
        results.append(running.wake())
    return results


def all_levels(results: list[WakeResult]) -> list[int]:
    return [mm for result in results for mm in levels(result)]


def all_alarms(results: list[WakeResult]) -> list[tuple[int, int]]:
    return [alarm for result in results for alarm in alarms(result)]


def thermometer(*course: tuple[int, int]) -> Thermometer:
    return Ds18b20(32, course or ((0, AIR_C100),))


@pytest.mark.parametrize("kind", ["a02yyuw", "maxbotix"])
def test_a_ranger_on_a_uart_tells_the_distance_by_the_air_of_a_ds18b20(kind: str, tmp_path: Path) -> None:
    file = recording(tmp_path / "bin.echo", [echo_us(MM)] * 9)
    parts: list[Part] = [UartRanger(kind, file), thermometer()]  # type: ignore[arg-type]
    (mm,) = levels(board(tmp_path, parts, ranger=kind).wake())
    assert abs(mm - MM) <= 3


@pytest.mark.parametrize("kind", ["a02yyuw", "maxbotix"])
def test_a_ranger_on_a_uart_behind_a_load_switch_is_heard_once_it_is_warm(kind: str, tmp_path: Path) -> None:
    file = recording(tmp_path / "bin.echo", [echo_us(MM)] * 9)
    parts: list[Part] = [UartRanger(kind, file, power=27), thermometer()]  # type: ignore[arg-type]
    switched = board(tmp_path, parts, ranger=kind, ranger_power_pin=27)
    found = all_levels(run(switched, 400_000))
    assert len(found) == 2
    assert all(abs(mm - MM) <= 3 for mm in found)


@pytest.mark.parametrize("kind", ["a02yyuw", "maxbotix"])
def test_a_cut_wire_of_a_uart_is_no_echo_and_a_fault_after_three_wakes(kind: str, tmp_path: Path) -> None:
    file = recording(tmp_path / "bin.echo", [echo_us(MM)] * 9)
    parts: list[Part] = [UartRanger(kind, file, answers=False), thermometer()]  # type: ignore[arg-type]
    results = run(board(tmp_path, parts, ranger=kind), 1_000_000)
    assert all_levels(results) == [8191] * 4
    assert all_alarms(results) == [(FAULT, 1)]


def test_a_ranger_at_another_speed_gives_no_distance(tmp_path: Path) -> None:
    """An A02YYUW where a MaxBotix is configured: its frames are no lines of digits."""
    file = recording(tmp_path / "bin.echo", [echo_us(MM)] * 9)
    (status,) = levels(
        board(tmp_path, [UartRanger("a02yyuw", file), thermometer()], ranger="maxbotix").wake()
    )
    assert status == 8191


@pytest.mark.parametrize("answers", [True, False])
def test_an_absent_ds18b20_leaves_the_chips_own_thermometer(answers: bool, tmp_path: Path) -> None:
    file = recording(tmp_path / "bin.echo", [echo_us(MM, 2000)] * 9, temp_c100=2000)
    (mm,) = levels(board(tmp_path, [HcSr04(file), Ds18b20(32, ((0, 2000),), answers)]).wake())
    assert abs(mm - MM) <= 6


def test_a_fire_is_told_once_and_only_by_the_thermometer_in_the_air(tmp_path: Path) -> None:
    file = recording(tmp_path / "bin.echo", [echo_us(MM)] * 9)
    course = ((0, 2500), (600_000, 4000), (900_000, 7000))
    burning = board(tmp_path / "a", [HcSr04(file), thermometer(*course)])
    assert all_alarms(run(burning, 1_600_000)) == [(FIRE, 4000)]
    hot = recording(tmp_path / "hot.echo", [echo_us(MM)] * 9, temp_c100=7500)
    assert alarms(board(tmp_path / "b", [HcSr04(hot)], ds18b20_pin=-1).wake()) == []


def tilting(folder: Path, *course: tuple[int, tuple[int, int, int]], sky_ms: int | None = None) -> SimBoard:
    """A container that lies as `course` says; from `sky_ms` on its ranger looks out of it."""
    inside, sky = [echo_us(MM)] * 9, [NO_TARGET] * 9
    count = 0 if sky_ms is None else sky_ms // 10_000
    file = recording(
        folder / "bin.echo",
        *[inside] * count,
        sky if count else inside,
        *[sky] * 1000 * bool(count),
        period_ms=10_000,
    )
    lie = Lis3dh(tuple((ms, *felt) for ms, felt in course), int_pin=33)
    return board(folder, [HcSr04(file), thermometer(), lie], tilt=1, wake_s=1800)


def test_a_fall_wakes_the_board_and_is_told_after_two_minutes(tmp_path: Path) -> None:
    results = run(tilting(tmp_path, (0, UPRIGHT), (1_000_000, LYING)), 8_000_000)
    assert [alarm[0] for alarm in all_alarms(results)] == [TILT]
    woken = [result for result in results if result.cause == "ext0"]
    assert [result.start_ms // 1000 for result in woken] == [1010], "tilted for ten seconds, and told so once"
    (told,) = [result for result in results if alarms(result)]
    assert 1_128_000 <= told.start_ms <= 1_135_000
    assert 80 <= alarms(told)[0][1] <= 95


def test_a_lid_that_is_opened_for_a_throw_does_not_even_wake_the_board(tmp_path: Path) -> None:
    results = run(tilting(tmp_path, (0, UPRIGHT), (1_000_000, LYING), (1_008_000, UPRIGHT)), 4_000_000)
    assert {result.cause for result in results} == {"power_on", "timer"}
    assert all_alarms(results) == []


def test_a_lid_that_is_open_for_an_emptying_is_no_fall(tmp_path: Path) -> None:
    course = (0, UPRIGHT), (1_000_000, LYING), (1_060_000, UPRIGHT), (3_000_000, LYING), (3_060_000, UPRIGHT)
    results = run(tilting(tmp_path, *course), 6_000_000)
    assert sum(result.cause == "ext0" for result in results) == 2
    assert all_alarms(results) == []


def test_a_lid_that_is_left_open_is_no_fall_and_keeps_nobody_awake(tmp_path: Path) -> None:
    results = run(tilting(tmp_path, (0, UPRIGHT), (1_000_000, LYING), sky_ms=1_000_000), 9_000_000)
    assert all_alarms(results) == []
    assert sum(result.cause == "ext0" for result in results) == 1
    assert len(results) < 25
    assert all_levels(results)[2:] == [8191] * 4  # the second comes early: nodes do not go in step


def test_a_container_on_a_slope_is_upright_as_it_stands(tmp_path: Path) -> None:
    results = run(tilting(tmp_path, (0, SLANT), (1_000_000, LYING)), 3_000_000)
    assert [alarm[0] for alarm in all_alarms(results)] == [TILT]


def test_an_absent_accelerometer_is_told_once_and_levels_go_on(tmp_path: Path) -> None:
    file = recording(tmp_path / "bin.echo", [echo_us(MM)] * 9)
    results = run(board(tmp_path, [HcSr04(file), thermometer(), Lis3dh(answers=False)], tilt=1), 700_000)
    assert all_alarms(results) == [(FAULT, 1)]
    assert len(all_levels(results)) == 3
    assert all(abs(mm - MM) <= 3 for mm in all_levels(results))


async def test_level_fire_and_fall_arrive_upstream(tmp_path: Path) -> None:
    file = recording(tmp_path / "bin.echo", [echo_us(MM)] * 9)
    parts: list[Part] = [
        UartRanger("a02yyuw", file),
        thermometer((0, 2500), (600_000, 7000)),
        Lis3dh(((0, *UPRIGHT), (100_000, *LYING)), int_pin=33),
    ]
    planned = node(parts, ranger="a02yyuw", tilt=1)
    async with Rig(tmp_path, [planned]) as rig:
        # A gateway that is slow to start costs wakes that only send again.
        while rig.boards[planned.id].now_ms < 900_000:
            rig.wake(planned.id)
        await rig.drain()
        await rig.arrived_upstream(len(rig.ledger.kept()))
        assert rig.gateway.stop() == 0
        assert rig.crashes == []
        assert all(balance.sound for balance in rig.balances())
        said = "".join(path.read_text() for path in (tmp_path / "forwarded").glob("*.ndjson"))
        assert '"fire"' in said
        assert '"tilt"' in said
        assert '"level_pct":48.0' in said.replace(" ", "")
