"""Which board it is: never guessed where two would do, never another than was asked for."""

from dataclasses import dataclass

import pytest
from derb_tools.boards import load_board
from derb_tools.errors import AskedWrong, NoBoard, PortError
from derb_tools.flash.batch import boards_in_turn
from derb_tools.flash.choice import asked_board, check_chip, guessed_board, port_of, usb_of


@dataclass
class Port:
    """What pyserial says of a port."""

    device: str
    vid: int | None = 0x303A
    pid: int | None = 0x1001
    serial_number: str | None = None


def test_a_chip_that_one_board_has_is_enough() -> None:
    assert guessed_board("esp32c6", "303a:1001")[0] == "xiao-esp32c6"
    assert guessed_board("esp32c3", None)[0] == "xiao-esp32c3"


def test_the_usb_converter_tells_boards_of_one_chip_apart() -> None:
    assert guessed_board("esp32", "10c4:ea60")[0] == "esp32-devkitc-v4"
    with pytest.raises(AskedWrong, match="may be firebeetle2-esp32-e, olimex-esp32-poe: say which"):
        guessed_board("esp32", "1a86:7523")


def test_a_chip_that_no_board_has_is_said() -> None:
    with pytest.raises(AskedWrong, match="no board that is known has an esp32h2; describe it in a file"):
        guessed_board("esp32h2", None)


def test_another_chip_than_the_boards_is_refused() -> None:
    check_chip("xiao-esp32c6", load_board("xiao-esp32c6"), "esp32c6", "/dev/ttyACM0")
    with pytest.raises(NoBoard, match=r"at /dev/ttyACM0 is an esp32c3, and xiao-esp32c6 .* has an esp32c6"):
        check_chip("xiao-esp32c6", load_board("xiao-esp32c6"), "esp32c3", "/dev/ttyACM0")


def test_an_unknown_board_comes_with_the_nearest() -> None:
    assert asked_board("xiao-esp32c6")[0] == "xiao-esp32c6"
    with pytest.raises(AskedWrong, match='did you mean "lolin-s2-mini"'):
        asked_board("lolin-s2")


def test_the_usb_identity_of_a_port_is_found() -> None:
    ports = [Port("/dev/ttyUSB0", 0x10C4, 0xEA60), Port("/dev/ttyACM0")]
    assert usb_of("/dev/ttyACM0", lambda: ports) == "303a:1001"
    assert usb_of("socket://x:1", lambda: ports) is None


def test_a_batch_takes_each_board_once_until_it_is_unplugged() -> None:
    seen = iter([["a"], ["a"], [], ["a"], ["a", "b"], ["a", "b"]])
    told: list[str] = []
    rests: list[float] = []
    turns = boards_in_turn(None, told.append, lambda: [Port(each) for each in next(seen)], rests.append)
    assert [next(turns) for _ in range(3)] == ["a", "a", "b"]
    assert told == ["plug the next board in; Ctrl-C ends"]
    assert len(rests) == 2


def test_a_batch_leaves_other_ports_alone() -> None:
    mouse, board = Port("/dev/ttyACM7", 0x046D, 0xC077), Port("/dev/ttyUSB1")
    turns = boards_in_turn(None, lambda _: None, lambda: [mouse, board], lambda _: None)
    assert next(turns) == "/dev/ttyUSB1"
    only = boards_in_turn("/dev/b", lambda _: None, lambda: [Port("/dev/a"), Port("/dev/b")], lambda _: None)
    assert next(only) == "/dev/b"


def test_the_port_is_that_of_the_boards_own_usb_identity() -> None:
    ports = [Port("/dev/ttyUSB0", 0x10C4, 0xEA60), Port("/dev/ttyACM0")]
    assert port_of(None, load_board("xiao-esp32c6"), lambda: ports) == "/dev/ttyACM0"
    assert port_of(None, load_board("esp32-devkitc-v4"), lambda: ports) == "/dev/ttyUSB0"
    assert port_of("/dev/ttyUSB9", load_board("xiao-esp32c6"), lambda: ports) == "/dev/ttyUSB9"


def test_two_ports_that_would_do_are_not_guessed_between() -> None:
    ports = [Port("/dev/ttyACM0"), Port("/dev/ttyACM1")]
    for board in (load_board("xiao-esp32c6"), None):
        with pytest.raises(PortError, match=r"say which:\n  --port /dev/ttyACM0"):
            port_of(None, board, lambda: ports)
