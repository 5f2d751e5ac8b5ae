"""A wake begins, runs and ends as on the chip, and what survives it is what survives on the chip."""

from __future__ import annotations

import json

import pytest
from derb_tools.board import BoardError, BoardStuck, Cut, Patience, Silicon, SimBoard
from tools.board.tiny import KEY, MakeBoard

COUNTER = """
    import machine, time
    rtc = machine.RTC()
    count = int(rtc.memory() or b"0") + 1
    rtc.memory(str(count).encode())
    print("count", count, "cause", machine.reset_cause(), machine.wake_reason(), "time", time.time())
"""


def test_a_new_board_wakes_up_by_power_on_with_its_configuration_and_key(make_board: MakeBoard) -> None:
    board = make_board("""
        import esp32, machine, json
        nvs = esp32.NVS("derb")
        room = bytearray(300)
        print("cfg", json.loads(room[:nvs.get_blob("cfg", room)].decode())["kind"])
        print("key", room[:nvs.get_blob("key", room)].hex())
        print("id", machine.unique_id().hex(), machine.reset_cause() == machine.PWRON_RESET)
    """)
    result = board.wake()
    assert result.log == ["cfg parking", f"key {KEY.hex()}", "id 240ac4a1b2c3 True"]
    assert (result.cause, result.end) == ("power_on", "exit")


def test_rtc_memory_and_time_survive_deep_sleep(make_board: MakeBoard) -> None:
    board = make_board(COUNTER + "    machine.deepsleep(60_000)")
    assert board.wake().said("count 1 cause 1 0 time 0")
    result = board.wake()
    assert result.said("count 2 cause 4 4 time 60")
    assert (result.end, result.sleep_ms) == ("deepsleep", 60_000)


def test_rtc_memory_survives_reset_and_watchdog(make_board: MakeBoard) -> None:
    board = make_board(
        COUNTER
        + """
    if count == 1:
        machine.reset()
    if count == 2:
        machine.soft_reset()
    machine.WDT(timeout=1000)
    time.sleep(2)
    """
    )
    ends = [board.wake() for _ in range(4)]
    assert [each.end for each in ends] == ["reset", "reset", "wdt", "wdt"]
    assert [each.log[0].split(" time")[0] for each in ends] == [
        "count 1 cause 1 0",
        "count 2 cause 2 0",
        "count 3 cause 5 0",
        "count 4 cause 3 0",
    ]


def test_power_loss_takes_rtc_memory_and_time_but_not_the_flash(make_board: MakeBoard) -> None:
    board = make_board(
        COUNTER
        + """
    import os
    print("kept", "kept" in os.listdir("/"))
    open("/kept", "w").close()
    machine.deepsleep(60_000)
    """
    )
    board.wake()
    board.wake()
    board.power_cut()
    result = board.wake()
    assert result.said("count 1 cause 1 0 time 0")
    assert result.said("kept True")


def test_sleeping_costs_no_real_time_at_speed_0(make_board: MakeBoard) -> None:
    board = make_board(
        """
        import time
        start = time.ticks_ms()
        time.sleep(3600)
        print(time.ticks_diff(time.ticks_ms(), start))
        """
    )
    result = board.wake()
    assert 3_600_000 <= int(result.log[0]) < 3_601_000
    assert result.real_ms < 2000


def test_ticks_wrap_at_2_to_the_30(make_board: MakeBoard) -> None:
    board = make_board(
        """
        import time
        start = time.ticks_ms()
        time.sleep_ms(5000)
        print(start > time.ticks_ms(), 5000 <= time.ticks_diff(time.ticks_ms(), start) < 5500)
        print(time.ticks_add(start, 5000) < start)
        """
    )
    assert board.wake().log == ["True True", "True"]


def test_the_clock_counts_from_2000_and_can_be_set(make_board: MakeBoard) -> None:
    board = make_board(
        COUNTER
        + """
    if count == 1:
        machine.RTC().datetime((2026, 11, 22, 0, 19, 0, 0, 0))
    print(time.gmtime()[:5], time.mktime((2026, 11, 22, 19, 0, 0, 0, 0)), machine.RTC().datetime()[3])
    machine.deepsleep(60_000)
    """
    )
    seconds = 848_689_200  # from 2000-01-01 to 2026-11-22T19:00:00Z
    assert board.wake().log[1] == f"(2026, 11, 22, 19, 0) {seconds} 6"
    assert board.wake().log[1] == f"(2026, 11, 22, 19, 1) {seconds} 6"


def test_the_rtc_drifts_in_deep_sleep(make_board: MakeBoard) -> None:
    board = make_board(
        "import machine, time\nprint(time.time())\nmachine.deepsleep(1_000_000)",
        silicon=Silicon(rtc_drift_ppm=-50_000),
    )
    board.wake()
    assert board.wake().log == ["950"]


def test_an_uncaught_exception_is_a_crash_with_its_traceback(make_board: MakeBoard) -> None:
    board = make_board("def f():\n    return 1 // 0\nf()")
    result = board.wake()
    assert result.end == "crash"
    assert result.log[-1] == "ZeroDivisionError: divide by zero"
    assert any("main.py" in line and "line 2" in line for line in result.log)
    assert board.next_wake() is None
    with pytest.raises(BoardStuck):
        board.wake()
    assert board.wake("power_on").end == "crash"


def test_nothing_of_the_firmware_runs_after_deepsleep(make_board: MakeBoard) -> None:
    board = make_board("""
        import machine
        try:
            machine.deepsleep(1000)
        except BaseException:
            print("except")
        finally:
            print("finally")
    """)
    result = board.wake()
    assert (result.end, result.log) == ("deepsleep", [])


def test_the_watchdog_bites_a_firmware_that_looks_at_the_clock(make_board: MakeBoard) -> None:
    board = make_board("""
        import machine, time
        wdt = machine.WDT(timeout=3000)
        for _ in range(5):
            time.sleep(2)
            wdt.feed()
        print("fed")
        while True:
            time.sleep_ms(10)
    """)
    result = board.wake()
    assert (result.end, result.log) == ("wdt", ["fed"])
    assert 13_000 <= result.awake_ms <= 14_000


def test_the_watchdog_bites_a_firmware_that_spins(make_board: MakeBoard) -> None:
    board = make_board(
        "import machine\nmachine.WDT(timeout=8000)\nprint('spin')\nwhile True:\n    pass",
        patience=Patience(spin_s=0.2),
    )
    result = board.wake()
    assert (result.end, result.log) == ("wdt", ["spin"])
    assert 8000 <= result.awake_ms <= 9000


def test_a_spin_without_watchdog_hangs_for_ever(make_board: MakeBoard) -> None:
    board = make_board("while True:\n    pass", patience=Patience(spin_s=0.2))
    assert board.wake().end == "hang"
    assert board.next_wake() is None


def test_the_watchdog_cannot_be_stopped(make_board: MakeBoard) -> None:
    board = make_board("""
        import machine, time
        wdt = machine.WDT(timeout=2000)
        print(hasattr(wdt, "deinit"))
        del wdt
        time.sleep(5)
        print("alive")
    """)
    assert board.wake().log == ["False"]


def test_power_can_be_cut_at_a_moment(make_board: MakeBoard) -> None:
    board = make_board(COUNTER + "    time.sleep(10)\n    print('slept')\n    machine.deepsleep(1)")
    result = board.wake(cut=Cut(after_ms=5000))
    assert (result.end, result.awake_ms, result.said("slept")) == ("power_cut", 5000, False)
    assert board.wake().said("count 1 cause 1")


def test_a_board_lives_on_in_its_folder(make_board: MakeBoard) -> None:
    board = make_board(COUNTER + "    machine.deepsleep(5000)")
    board.wake()
    again = SimBoard(board.dir, board.firmware, node_id=board.node_id)
    assert again.next_wake() == board.next_wake()
    assert again.wake().said("count 2 cause 4 4")


def test_a_board_without_firmware_says_so(make_board: MakeBoard) -> None:
    board = make_board("")
    board.flash.unlink()
    with pytest.raises(BoardError, match="factory"):
        board.wake()


def test_libraries_can_be_added_as_if_frozen(make_board: MakeBoard) -> None:
    board = make_board("import helper.inner\nprint(helper.inner.__file__)")
    library = board.dir / "library" / "helper"
    library.mkdir(parents=True)
    (library / "inner.py").write_text("")
    board.factory(extra_dirs=[board.dir / "library"])
    assert board.wake().log == ["/lib/helper/inner.py"]


def test_a_new_configuration_is_found_at_the_next_wake(make_board: MakeBoard) -> None:
    board = make_board("""
        import esp32
        room = bytearray(100)
        print(room[:esp32.NVS("derb").get_blob("cfg", room)].decode())
    """)
    board.reconfigure({"kind": "level"})
    assert json.loads(board.wake().log[0]) == {"kind": "level"}


def test_the_laptop_is_out_of_reach(make_board: MakeBoard) -> None:
    board = make_board("""
        import os, sys
        print(hasattr(os, "system"), os.listdir("/"))
        try:
            open("/etc/passwd")
        except OSError as error:
            print(error.errno)
        try:
            import simctl
            print("simulator seen")
        except ImportError:
            print("no simulator")
    """)
    assert board.wake().log == ["False ['main.py']", "2", "no simulator"]
