"""Pins, buses and converters refuse what the chip refuses, and some things that it only tolerates."""

from __future__ import annotations

import pytest
from derb_tools.board import Battery, Level
from tools.board.tiny import MakeBoard

TELL = """
    import machine, esp32, time
    from machine import Pin
    def tell(f, *args, **kw):
        try:
            print("ok", f(*args, **kw))
        except Exception as error:
            print(type(error).__name__, error.args[0] if error.args else "")
"""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("Pin(34, Pin.OUT)", "ValueError: pin can only be input"),
        ("Pin(36, Pin.IN, Pin.PULL_UP)", "ValueError: pin has no pull resistors"),
        ("Pin(24)", "ValueError: invalid pin"),
        ("Pin(6, Pin.IN)", "ValueError: invalid pin"),
        ("machine.ADC(Pin(5))", "ValueError: invalid pin"),
        ("esp32.wake_on_ext0(Pin(5, Pin.IN), 1)", "ValueError: invalid pin"),
        ("machine.I2C(2)", "ValueError: I2C(2) doesn't exist"),
        ("machine.I2C(0, scl=Pin(34), sda=Pin(21))", "ValueError: pin can only be input"),
        ("machine.I2C(0, scl=22, sda=21).readfrom_mem(0x1E, 0x0F, 1)", "OSError: 19"),
        ("machine.RTC().memory(bytes(2049))", "ValueError: buffer too long"),
        ("machine.WDT(timeout=500)", "ValueError: WDT timeout too short"),
        ("machine.freq(100)", "ValueError: frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz"),
        ("esp32.NVS('derb').set_i32('k' * 16, 1)", "OSError: (-4361, 'ESP_ERR_NVS_KEY_TOO_LONG')"),
        ("esp32.NVS('n' * 16)", "OSError: (-4361, 'ESP_ERR_NVS_KEY_TOO_LONG')"),
        ("esp32.NVS('derb').get_i32('none')", "OSError: (-4354, 'ESP_ERR_NVS_NOT_FOUND')"),
        ("esp32.NVS('derb').get_i32('cfg')", "OSError: (-4355, 'ESP_ERR_NVS_TYPE_MISMATCH')"),
        ("esp32.NVS('derb').get_blob('cfg', bytearray(2))", "OSError: (-4364, 'ESP_ERR_NVS_INVALID_LENGTH')"),
        (
            "esp32.NVS('derb').set_blob('big', bytes(24000))",
            "OSError: (-4357, 'ESP_ERR_NVS_NOT_ENOUGH_SPACE')",
        ),
        ("esp32.NVS('derb').set_i32('big', 1 << 31)", "OverflowError: i32"),
    ],
)
def test_what_the_chip_refuses_is_refused(make_board: MakeBoard, source: str, said: str) -> None:
    board = make_board(f"import machine, esp32\nfrom machine import Pin\n{source}")
    assert board.wake().log[-1].replace("[Errno 19] ENODEV", "19") == said


@pytest.mark.parametrize(
    ("source", "violation"),
    [
        ("Pin(4).value()", "pin 4 is read before it is configured"),
        ("Pin(4).value(1)", "pin 4 is written but is not an output"),
        ("Pin(4, Pin.IN).on()", "pin 4 is written but is not an output"),
        ("Pin(4).irq(print)", "pin 4 has an interrupt but is not configured"),
        ("machine.ADC(Pin(33)).read_uv()", "nothing is wired to ADC pin 33"),
        ("machine.I2C(0, freq=1_000_000)", "I2C at 1000000 Hz is too fast for the chips on it"),
    ],
)
def test_what_the_chip_only_tolerates_is_reported_even_if_swallowed(
    make_board: MakeBoard, source: str, violation: str
) -> None:
    board = make_board(
        f"""
        import machine
        from machine import Pin
        try:
            {source}
        except Exception:
            print("swallowed")
        """
    )
    result = board.wake()
    assert result.violations == [violation]
    assert result.log == ["swallowed"]


def test_rtc_memory_takes_2048_bytes(make_board: MakeBoard) -> None:
    board = make_board(
        "import machine\nmachine.RTC().memory(bytes(2048))\nprint(len(machine.RTC().memory()))"
    )
    assert board.wake().log == ["2048"]
    assert board.rtc_memory() == bytes(2048)


def test_nvs_is_durable_only_after_commit(make_board: MakeBoard) -> None:
    board = make_board("""
        import esp32, machine
        nvs = esp32.NVS("derb")
        nvs.set_i32("kept", -7)
        nvs.set_blob("bytes", b"\\x00\\xff")
        nvs.commit()
        nvs.set_i32("lost", 2)
        nvs.erase_key("key")
        print(nvs.get_i32("lost"))
        machine.deepsleep(1000)
    """)
    assert board.wake().log == ["2"]
    assert board.nvs()["derb"].items() >= {"kept": -7, "bytes": b"\x00\xff"}.items()
    assert "key" in board.nvs()["derb"]
    assert "lost" not in board.nvs()["derb"]


def test_the_battery_is_read_as_far_as_the_attenuation_sees(make_board: MakeBoard) -> None:
    board = make_board(
        """
        from machine import ADC, Pin
        print(ADC(Pin(35), atten=ADC.ATTN_11DB).read_uv(), ADC(Pin(35)).read_uv())
        """,
        sensors=[Battery(1800, pin=35)],
    )
    assert board.wake().log == ["1800000 950000"]


def test_an_interrupt_handler_may_not_allocate(make_board: MakeBoard) -> None:
    board = make_board(
        """
        import time
        from machine import Pin
        seen = []
        Pin(27, Pin.IN).irq(lambda pin: seen.append([pin, 1, 2, 3]), Pin.IRQ_FALLING)
        time.sleep(1)
        print("not reached")
        """,
        sensors=[Level(27, changes=((800, 0),))],
    )
    result = board.wake()
    assert result.end == "crash"
    assert result.log[-1].startswith("MemoryError")
    assert not result.said("not reached")


def test_an_interrupt_handler_runs_at_its_edge(make_board: MakeBoard) -> None:
    board = make_board(
        """
        import time
        from machine import Pin
        at = bytearray(2)
        start = time.ticks_ms()
        def fell(pin):
            at[0] = time.ticks_diff(time.ticks_ms(), start) // 10
            at[1] = 1 - pin.value()
        pin = Pin(27, Pin.IN)
        pin.irq(fell, Pin.IRQ_FALLING)
        time.sleep(1)
        print(at[1], at[0])
        """,
        sensors=[Level(27, changes=((800, 0), (900, 1)))],
    )
    fell, hundredths = board.wake().log[0].split()
    assert fell == "1"
    assert 44 <= int(hundredths) <= 46  # 350 ms after power-on comes the first line


def test_a_pin_wakes_the_board_from_deep_sleep(make_board: MakeBoard) -> None:
    board = make_board(
        """
        import esp32, machine
        from machine import Pin
        print(machine.wake_reason() == machine.EXT0_WAKE)
        esp32.wake_on_ext0(Pin(27, Pin.IN), 0)
        machine.deepsleep(60_000)
        """,
        sensors=[Level(27, changes=((20_000, 0), (20_200, 1)))],
    )
    result = board.wake()
    assert result.wake_pins == ((27, 0),)
    assert board.next_wake() == (20_000, "ext0")
    result = board.wake()
    assert result.log == ["True"]
    assert board.next_wake() == (result.end_ms + 60_000, "timer")


def test_a_pin_at_its_wake_level_lets_the_board_not_sleep(make_board: MakeBoard) -> None:
    board = make_board(
        """
        import esp32, machine
        esp32.wake_on_ext0(machine.Pin(27, machine.Pin.IN), 1)
        machine.deepsleep(60_000)
        """,
        sensors=[Level(27)],
    )
    result = board.wake()
    assert board.next_wake() == (result.end_ms, "ext0")


def test_light_sleep_ends_with_time_or_pin(make_board: MakeBoard) -> None:
    board = make_board(
        """
        import esp32, machine, time
        from machine import Pin
        start = time.ticks_ms()
        esp32.wake_on_ext0(Pin(27, Pin.IN), 0)
        machine.lightsleep(10_000)
        print(time.ticks_diff(time.ticks_ms(), start) // 10, machine.wake_reason())
        esp32.wake_on_ext0(None)
        machine.lightsleep(10_000)
        print(time.ticks_diff(time.ticks_ms(), start) // 100, machine.wake_reason())
        """,
        sensors=[Level(27, changes=((1350, 0),))],
    )
    first, second = (line.split() for line in board.wake().log)
    assert 98 <= int(first[0]) <= 101
    assert first[1] == "2"
    assert 109 <= int(second[0]) <= 111
    assert second[1] == "4"


def test_a_uart_reaches_the_supervisor(make_board: MakeBoard) -> None:
    board = make_board("""
        import machine
        uart = machine.UART(1, 115200, tx=17, rx=16)
        uart.write(b"hello")
        print(uart.any(), uart.read())
    """)
    result = board.wake(uart_in={1: b"abc"})
    assert (result.log, result.uart) == (["3 b'abc'"], {1: b"hello"})


def test_any_of_several_pins_wakes_the_board_when_high(make_board: MakeBoard) -> None:
    board = make_board(
        """
        import esp32, machine
        from machine import Pin
        print(machine.wake_reason() == machine.EXT1_WAKE)
        esp32.wake_on_ext1([Pin(27, Pin.IN), Pin(32, Pin.IN)], esp32.WAKEUP_ANY_HIGH)
        machine.deepsleep()
        """,
        sensors=[Level(27, at_rest=0), Level(32, at_rest=0, changes=((7000, 1), (7100, 0)))],
    )
    result = board.wake()
    assert (result.sleep_ms, result.wake_pins) == (None, ((27, 1), (32, 1)))
    assert board.next_wake() == (7000, "ext1")
    assert board.wake().log == ["True"]
    assert board.next_wake() is None  # no timer, and nothing will happen any more
