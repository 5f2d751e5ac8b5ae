"""The node's port is found by its USB identity; where it cannot be opened the message says what to do."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

import pytest
from derb_tools.errors import PortError
from derb_tools.usb_port import explained, find_port, is_there


@dataclass
class Port:
    device: str
    vid: int | None = 0x10C4
    pid: int | None = 0xEA60
    serial_number: str | None = None


def test_the_only_esp32_is_taken_and_other_devices_are_not() -> None:
    mouse = Port("/dev/ttyACM0", 0x046D, 0xC52B)
    assert find_port(None, lambda: [mouse, Port("/dev/ttyUSB3")]) == "/dev/ttyUSB3"
    assert find_port("/dev/other", list) == "/dev/other"


def test_none_and_several_say_what_to_do() -> None:
    with pytest.raises(PortError, match="plug the node in"):
        find_port(None, list)
    with pytest.raises(PortError, match=r"(?s)say which.*ttyUSB0.*serial A1.*ttyUSB1"):
        find_port(None, lambda: [Port("/dev/ttyUSB1"), Port("/dev/ttyUSB0", serial_number="A1")])


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.EACCES, "usermod -aG"),
        (errno.EBUSY, "another program"),
        (errno.ENOENT, "plug the node in"),
        (errno.EIO, "cannot be opened"),
    ],
)
def test_a_port_that_cannot_be_opened_says_what_to_do(number: int, cure: str, tmp_path: Path) -> None:
    told = str(explained(str(tmp_path / "ttyUSB0"), OSError(number, "why")))
    assert cure in told
    assert "ttyUSB0" in told


def test_a_port_is_there_or_not(tmp_path: Path) -> None:
    assert not is_there(str(tmp_path / "ttyUSB0"))
    assert is_there(str(tmp_path))
    assert is_there("socket://127.0.0.1:1")
