"""The simulated magnetometer answers as its data sheet says, and wakes the board by its threshold."""

from __future__ import annotations

from pathlib import Path

from derb_tools.board import Cut, Lis3mdl
from derb_tools.board.mpy import lis3mdl_core as core
from tools.board.tiny import MakeBoard, write_mag

BUS = """
    import esp32, machine, struct, time
    from machine import I2C, Pin
    bus = I2C(0, scl=Pin(22), sda=Pin(21), freq=400_000)
    def put(register, *values):
        bus.writeto_mem(0x1C, register | 0x80, bytes(values))
    def get(register, count=1):
        return bus.readfrom_mem(0x1C, register | 0x80, count)
    def xyz():
        return struct.unpack("<hhh", get(0x28, 6))
"""
CONTINUOUS = """
    put(0x20, 0x90, 0x00, 0x00)  # temperature on, 10 Hz, 4 gauss, continuous
    time.sleep_ms(110)
"""

FIELD = (25_000, -10_000, 40_000, 2625)  # nT; 6,842 LSB a gauss make 1710, -684, 2737


def chip(tmp_path: Path, *samples: tuple[int, int, int, int], **options: object) -> Lis3mdl:
    return Lis3mdl(write_mag(tmp_path / "field.mag", samples or (FIELD,)), **options)  # type: ignore[arg-type]


def test_it_is_found_and_has_its_defaults(make_board: MakeBoard, tmp_path: Path) -> None:
    board = make_board(
        BUS + "    print(bus.scan(), get(0x0F).hex(), get(0x20, 5).hex(), get(0x30).hex())",
        sensors=[chip(tmp_path)],
    )
    assert board.wake().log == ["[28] 3d 1000030000 e8"]


def test_it_may_have_the_other_address(make_board: MakeBoard, tmp_path: Path) -> None:
    board = make_board(BUS + "    print(bus.scan())", sensors=[chip(tmp_path, address=0x1E)])
    assert board.wake().log == ["[30]"]


def test_it_is_silent_on_other_pins_or_a_broken_wire(make_board: MakeBoard, tmp_path: Path) -> None:
    for number, part in enumerate((chip(tmp_path, scl=18, sda=19), chip(tmp_path, answers=False))):
        board = make_board(BUS + "    print(bus.scan())\n    get(0x0F)", name=f"b{number}", sensors=[part])
        result = board.wake()
        assert (result.end, result.log[0], result.log[-1]) == ("crash", "[]", "OSError: [Errno 19] ENODEV")


def test_it_is_powered_down_at_first_and_has_no_sample(make_board: MakeBoard, tmp_path: Path) -> None:
    board = make_board(BUS + "    time.sleep(5)\n    print(get(0x27), xyz())", sensors=[chip(tmp_path)])
    assert board.wake().log == ["b'\\x00' (0, 0, 0)"]


def test_field_and_temperature_are_scaled(make_board: MakeBoard, tmp_path: Path) -> None:
    board = make_board(
        BUS
        + CONTINUOUS
        + """
    print(xyz(), struct.unpack("<h", get(0x2E, 2))[0])
    for scale in (0x20, 0x40, 0x60):
        put(0x21, scale)
        time.sleep_ms(110)
        print(xyz())
    """,
        sensors=[chip(tmp_path)],
    )
    assert board.wake().log == [
        "(1711, -684, 2737) 10",  # 1.25 K above 25 degrees, 8 LSB a kelvin
        "(855, -342, 1368)",
        "(570, -228, 912)",
        "(428, -171, 684)",
    ]


def test_a_sample_is_ready_only_after_its_conversion(make_board: MakeBoard, tmp_path: Path) -> None:
    board = make_board(
        BUS
        + """
    put(0x20, 0x10, 0x00, 0x00)
    time.sleep_ms(90)
    print(get(0x27)[0] & 0x0F)
    time.sleep_ms(15)
    print(get(0x27)[0] & 0x0F, xyz()[0], get(0x27)[0])
    time.sleep_ms(250)
    print(hex(get(0x27)[0]))
    """,
        sensors=[chip(tmp_path)],
    )
    assert board.wake().log == ["0", "15 1711 0", "0xff"]  # the last: overrun, as two samples went unread


def test_a_single_conversion_ends_in_power_down(make_board: MakeBoard, tmp_path: Path) -> None:
    board = make_board(
        BUS
        + """
    put(0x20, 0x70, 0x00, 0x01)  # ultra-high performance: 6.5 ms
    time.sleep_ms(3)
    print(get(0x27)[0], get(0x22)[0])
    time.sleep_ms(5)
    print(get(0x27)[0], get(0x22)[0], xyz()[0])
    time.sleep_ms(500)
    print(get(0x27)[0])
    """,
        sensors=[chip(tmp_path)],
    )
    assert board.wake().log == ["0 1", "15 3 1711", "0"]


def test_without_the_increment_bit_the_same_register_is_read_again(
    make_board: MakeBoard, tmp_path: Path
) -> None:
    board = make_board(BUS + "    print(bus.readfrom_mem(0x1C, 0x0F, 3).hex())", sensors=[chip(tmp_path)])
    assert board.wake().log == ["3d3d3d"]


def test_a_strong_field_saturates(make_board: MakeBoard, tmp_path: Path) -> None:
    board = make_board(
        BUS + CONTINUOUS + "    print(xyz())", sensors=[chip(tmp_path, (900_000, -900_000, 0, 0))]
    )
    assert board.wake().log == ["(32767, -32767, 0)"]


def test_offsets_are_subtracted(make_board: MakeBoard, tmp_path: Path) -> None:
    board = make_board(
        BUS + '    put(0x05, *struct.pack("<hhh", 1000, -684, 0))' + CONTINUOUS + "    print(xyz())",
        sensors=[chip(tmp_path)],
    )
    assert board.wake().log == ["(711, 0, 2737)"]


def test_noise_is_as_strong_as_asked(make_board: MakeBoard, tmp_path: Path) -> None:
    source = (
        BUS
        + CONTINUOUS
        + """
    samples = []
    for _ in range(200):
        time.sleep_ms(100)
        samples.append(xyz()[0] - 1711)
    print(sum(samples) // 200, sum(s * s for s in samples) // 200)
    """
    )
    log = make_board(source, sensors=[chip(tmp_path, noise_nt=400)]).wake().log
    mean, square = (int(part) for part in log[0].split())
    assert abs(mean) <= 6
    assert 550 <= square <= 950  # (400 nT * 0.06842 LSB/nT)^2 = 749


def test_registers_survive_deep_sleep_but_not_power_loss(make_board: MakeBoard, tmp_path: Path) -> None:
    board = make_board(
        BUS + "    print(get(0x21).hex())\n    put(0x21, 0x60)\n    machine.deepsleep(1000)",
        sensors=[chip(tmp_path)],
    )
    assert [board.wake().log[0] for _ in range(2)] == ["00", "60"]
    board.wake(cut=Cut(after_ms=350))
    assert board.wake().log[0] == "00"


ARMED = """
    print(machine.wake_reason(), hex(get(0x31)[0]), hex(get(0x31)[0]))
    x, y, z = 1711, -684, 2737  # the field at rest becomes the offset
    put(0x05, *struct.pack("<hhh", x, y, z))
    put(0x32, 300 & 0xFF, 300 >> 8)
    put(0x30, 0xE0 | 0x08 | 0x01)  # all axes, active low, latched
    put(0x20, 0x10, 0x00, 0x00)
    esp32.wake_on_ext0(Pin(4, Pin.IN), 0)
    machine.deepsleep(60_000)
"""


def vehicle(at_s: int, seconds: int = 120) -> list[tuple[int, int, int, int]]:
    x, y, z, temp = FIELD
    return [(x, y - (12_000 if at_s <= second < at_s + 5 else 0), z, temp) for second in range(seconds)]


def test_its_threshold_wakes_the_board(make_board: MakeBoard, tmp_path: Path) -> None:
    board = make_board(BUS + ARMED, sensors=[chip(tmp_path, *vehicle(30), int_pin=4)])
    assert board.wake().log == ["0 0x0 0x0"]
    due = board.next_wake()
    assert due is not None
    assert due[1] == "ext0"
    assert 30_000 <= due[0] <= 30_100
    assert board.wake().log == ["2 0x9 0x0"]  # y on its negative side; reading it lets go of the pin


def test_a_field_below_the_threshold_leaves_it_asleep(make_board: MakeBoard, tmp_path: Path) -> None:
    quiet = vehicle(500)
    board = make_board(BUS + ARMED, sensors=[chip(tmp_path, *quiet, int_pin=4)])
    result = board.wake()
    assert board.next_wake() == (result.end_ms + 60_000, "timer")


def test_noise_alone_can_pass_a_low_threshold(make_board: MakeBoard, tmp_path: Path) -> None:
    board = make_board(BUS + ARMED, sensors=[chip(tmp_path, *vehicle(500), int_pin=4, noise_nt=2000)])
    board.wake()
    due = board.next_wake()
    assert due is not None
    assert due[1] == "ext0"


def test_an_interrupt_not_yet_read_keeps_the_board_awake(make_board: MakeBoard, tmp_path: Path) -> None:
    source = BUS + ARMED.replace(
        "print(machine.wake_reason(), hex(get(0x31)[0]), hex(get(0x31)[0]))", "pass"
    ).replace("put(0x20, 0x10", "if machine.wake_reason() == 0: put(0x20, 0x10")
    board = make_board(source, sensors=[chip(tmp_path, *vehicle(30), int_pin=4)])
    board.wake()
    result = board.wake()
    assert result.cause == "ext0"
    assert board.next_wake() == (result.end_ms, "ext0")


def test_its_interrupt_reaches_a_handler_while_awake(make_board: MakeBoard, tmp_path: Path) -> None:
    source = (
        BUS
        + ARMED.replace("machine.deepsleep(60_000)", "")
        + """
    seen = bytearray(1)
    start = time.ticks_ms()
    def alarm(pin):
        seen[0] = time.ticks_diff(time.ticks_ms(), start) // 1000
    Pin(4, Pin.IN).irq(alarm, Pin.IRQ_FALLING)
    time.sleep(60)
    print(seen[0], hex(get(0x31)[0]))
    """
    )
    board = make_board(source, sensors=[chip(tmp_path, *vehicle(30), int_pin=4)])
    assert board.wake().log[-1] == "29 0x9"


def test_noise_depends_on_seed_time_and_axis_only() -> None:
    registers = bytearray(core.REGISTERS)
    at = {
        (seed, slot): tuple(core.outputs(registers, (0, 0, 0), seed, slot, 1000))
        for seed in (1, 2)
        for slot in range(50)
    }
    again = {key: tuple(core.outputs(registers, (0, 0, 0), *key, 1000)) for key in at}
    assert at == again
    assert len(set(at.values())) == 100


def test_it_answers_on_a_bus_made_of_any_two_pins(make_board: MakeBoard, tmp_path: Path) -> None:
    board = make_board(
        """
        from machine import Pin, SoftI2C
        print(SoftI2C(Pin(32), Pin(33)).readfrom_mem(0x1C, 0x0F, 1).hex())
        """,
        sensors=[chip(tmp_path, scl=32, sda=33)],
    )
    assert board.wake().log == ["3d"]
