"""A relay is found by what it is, wherever it is plugged in."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from derb_gateway.config import RelaySettings
from derb_gateway.errors import RelayAway
from derb_gateway.relay_ports import candidates, described, usb_ports, wanted
from pydantic import ValidationError


@dataclass
class Port:
    device: str
    vid: int | None = 0x10C4
    pid: int | None = 0xEA60
    serial_number: str | None = None


PORTS = [
    Port("/dev/ttyUSB1", serial_number="0001"),
    Port("/dev/ttyUSB0", 0x1A86, 0x7523),
    Port("/dev/ttyACM0", 0x303A, 0x1001, "24:0A:C4:FF:FF:F1"),
    Port("/dev/ttyACM1", 0x2341, 0x0043, "arduino"),
]


def found(**settings: object) -> list[str]:
    return candidates(RelaySettings.model_validate({"name": "r", **settings}), lambda: PORTS)


def test_without_an_identity_whatever_may_be_an_esp32_is_tried() -> None:
    assert found() == ["/dev/ttyACM0", "/dev/ttyUSB0", "/dev/ttyUSB1"]


def test_the_serial_number_is_enough_and_the_usb_numbers_narrow_it() -> None:
    assert found(serial="0001") == ["/dev/ttyUSB1"]
    assert found(serial="arduino") == ["/dev/ttyACM1"], "who names one means it"
    assert found(usb="1a86:7523") == ["/dev/ttyUSB0"]
    assert found(usb="2341:0043") == ["/dev/ttyACM1"]
    assert found(usb="1A86:7523", serial="0001") == []
    assert found(serial="another") == []


def test_a_path_is_taken_while_it_is_there(tmp_path: Path) -> None:
    link = tmp_path / "usb-relay"
    assert found(port=str(link)) == []
    link.touch()
    assert found(port=str(link)) == [str(link)]


def test_what_is_looked_for_and_what_is_there_can_be_said() -> None:
    assert wanted(RelaySettings(name="r")) == "any USB serial port of an ESP32"
    assert wanted(RelaySettings(name="r", usb="10c4:ea60", serial="0001")) == "usb 10c4:ea60, serial 0001"
    assert described(PORTS[0]) == "/dev/ttyUSB1 (usb 10c4:ea60, serial 0001)"


@pytest.mark.parametrize(
    "settings",
    [
        {"usb": "10c4"},
        {"usb": "10c4:ea6g"},
        {"port": "/dev/x", "serial": "1"},
        {"channel": 0},
        {"channel": 14},
        {"id": "240ac4"},
        {"baud": 300},
    ],
)
def test_a_section_that_makes_no_sense_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RelaySettings.model_validate({"name": "r", **settings})


def test_this_machine_can_be_asked() -> None:
    assert all(port.vid is not None for port in usb_ports())


@pytest.mark.parametrize("error", [TypeError("int() can't convert"), OSError(5, "Input/output error")])
def test_a_port_that_goes_while_it_is_looked_at_is_looked_for_again(error: Exception) -> None:
    def going() -> list[Port]:
        raise error

    with pytest.raises(RelayAway, match="just now"):
        candidates(RelaySettings(name="r"), going)
