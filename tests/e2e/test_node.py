"""Whatever is wrong around a node, its wake ends in sleep, in time, and what it kept is still there."""

from dataclasses import replace
from pathlib import Path

import pytest
from derb_tools.board import Faults, SimBoard, WakeResult
from derb_tools.board.nvs import write_nvs
from derb_tools.demo.plan import Ports, make_board

from tests.e2e.rig import Process, Rig, free_port, planned

SLEEP_LIMIT_MS = 25_000  # the watchdog's margin, at the most, over the budget of the wake


def _board(folder: Path, kind: str = "level", **config: object) -> SimBoard:
    node = planned(folder, 1, kind, wake_s=300, **config)  # type: ignore[arg-type]
    return make_board(folder / "boards", node, Ports(free_port(), free_port()), speed=0)


def _kept(result: WakeResult) -> list[str]:
    return [line for line in result.log if line.startswith("derb kept")]


@pytest.mark.parametrize(
    "what",
    [
        "no access point",
        "wrong password",
        "nobody listens",
        "dns fails",
        "connect stalls",
        "broker falls silent",
    ],
)
def test_a_broken_way_out_ends_in_sleep_with_the_readings_on_flash(what: str, tmp_path: Path) -> None:
    board = _board(tmp_path)
    faults = Faults()
    match what:
        case "no access point":
            board.site = replace(board.site, ap_up=False)
        case "wrong password":
            board.site = replace(board.site, psk="another one")
        case "dns fails":
            faults = Faults(dns="fail")
        case "connect stalls":
            faults = Faults(connect="stall")
        case "broker falls silent":
            faults = Faults(read="stall")
    result = board.wake(faults=faults)
    assert result.end == "deepsleep", result
    assert result.said("derb failed"), result
    assert result.awake_ms < SLEEP_LIMIT_MS, result
    assert len(_kept(result)) == sum(line.startswith("derb safe") for line in result.log) == 2
    assert result.violations == []


def test_a_name_that_is_never_resolved_costs_its_budget_and_loses_nothing(tmp_path: Path) -> None:
    board = _board(tmp_path)
    result = board.wake(faults=Faults(dns="stall"))
    assert result.end == "deepsleep", result
    assert result.said("derb failed"), result
    assert result.awake_ms < SLEEP_LIMIT_MS
    safe = [line.split()[2:] for line in result.log if line.startswith("derb safe")]
    assert safe == [line.split()[2:4] for line in _kept(result)]


@pytest.mark.parametrize(
    "cfg",
    [
        b"",
        b"{",
        b"[]",
        b'{"kind": "toaster"}',
        b'{"port": 99999999}',
        b'{"tls": 1}',
        b"\xff\xfe",
        b"[" * 1900,
    ],
)
def test_a_bad_configuration_ends_in_sleep_and_says_why(cfg: bytes, tmp_path: Path) -> None:
    board = _board(tmp_path)
    write_nvs(board.dir / "nvs", "derb", {"cfg": cfg})
    result = board.wake()
    assert result.end == "deepsleep", result
    assert result.said("Error"), result


@pytest.mark.parametrize(
    "garbage", [b"", b"\xff" * 2048, bytes(2048), bytes(range(256)) * 8, b"DRB\x01" + b"\x7f" * 100]
)
def test_garbage_in_rtc_memory_is_a_new_boot(garbage: bytes, tmp_path: Path) -> None:
    board = _board(tmp_path)
    board.site = replace(board.site, ap_up=False)
    former = _kept(board.wake())[0].split()[2]
    (board.dir / "rtc").write_bytes(len(garbage).to_bytes(2, "little") + garbage)
    result = board.wake()
    assert result.end == "deepsleep", result
    assert not result.said("Traceback"), result
    assert all(int(line.split()[2]) == int(former) + 1 for line in _kept(result)), result


def test_an_absent_magnetometer_is_told_and_not_taken_for_a_free_bay(tmp_path: Path) -> None:
    board = _board(tmp_path, "parking")
    board.site = replace(board.site, ap_up=False)
    board.sensors = [replace(board.sensors[0], answers=False)]  # type: ignore[type-var]
    result = board.wake()
    assert result.end == "deepsleep", result
    assert [line.split()[4:6] for line in _kept(result)][:2] == [["4", "0502"], ["1", "00ff"]], (
        "a fault, and unknown"
    )


async def test_what_was_kept_through_all_that_arrives_once_the_way_is_free(tmp_path: Path) -> None:
    nodes = [planned(tmp_path, 1, "level", wake_s=300)]
    async with Rig(tmp_path, nodes) as rig:
        board = rig.boards[nodes[0].id]
        for faults in (
            Faults(dns="fail"),
            Faults(connect="stall"),
            Faults(read="stall"),
            Faults(dns="stall"),
        ):
            rig.ledger.read(nodes[0].id, board.wake(faults=faults).log, 0)
        assert rig.waiting(nodes[0].id) >= 2
        await rig.drain()
        await rig.arrived_upstream(len(rig.ledger.kept()))
        assert rig.gateway.stop() == 0
        assert all(balance.sound for balance in rig.balances()), rig.balances()


def test_a_ranger_behind_a_load_switch_is_on_when_it_pings(tmp_path: Path) -> None:
    board = _board(tmp_path, ranger_power_pin=27)
    board.site = replace(board.site, ap_up=False)
    result = board.wake()
    assert result.end == "deepsleep", result
    assert result.violations == []
    assert next(line.split()[4] for line in _kept(result)) == "2", result


def test_a_broker_that_is_another_program_is_no_broker(tmp_path: Path) -> None:
    node = planned(tmp_path, 1, "level", wake_s=300)
    port = free_port()
    server = Process(
        ["python3", "-m", "http.server", "--bind", "127.0.0.1", str(port)], tmp_path / "http.log", port
    )
    server.start()
    try:
        result = make_board(tmp_path / "boards", node, Ports(port, free_port()), speed=0).wake()
    finally:
        server.kill()
    assert result.end == "deepsleep", result
    assert result.said("derb failed"), result
