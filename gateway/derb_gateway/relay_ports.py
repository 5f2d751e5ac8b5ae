"""Which serial port a relay is at: by its USB identity, since names like ttyUSB0 change at every plug."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from serial.tools import list_ports

from derb_gateway.config import RelaySettings
from derb_gateway.errors import RelayAway

# (vendor, product) of what boards with an ESP32 have, where no identity is configured.
ESP32_USB = {
    (0x10C4, 0xEA60): "CP210x",
    (0x1A86, 0x7522): "CH340K",
    (0x1A86, 0x7523): "CH340",
    (0x1A86, 0x55D4): "CH9102",
    (0x1A86, 0x55D3): "CH343",
    (0x0403, 0x6001): "FT232R",
    (0x0403, 0x6015): "FT231X",
    (0x303A, 0x0002): "USB of the ESP32-S2 in its loader",
    (0x303A, 0x1001): "USB Serial/JTAG of the chip",
    (0x303A, 0x4001): "USB of MicroPython",
}


class UsbPort(Protocol):
    """What pyserial knows of a port."""

    device: str
    vid: int | None
    pid: int | None
    serial_number: str | None


Lister = Callable[[], Iterable[UsbPort]]


def usb_ports() -> list[UsbPort]:
    """Return the serial ports of this machine that are on USB."""
    return [port for port in list_ports.comports() if port.vid is not None]


def candidates(settings: RelaySettings, ports: Lister = usb_ports) -> list[str]:
    """Return the devices at which this relay may be, in a steady order; none: it is not plugged in. RelayAway."""
    try:
        if settings.port is not None:
            return [str(settings.port)] if settings.port.exists() else []
        return sorted(port.device for port in ports() if _fits(settings, port))
    except (OSError, TypeError, ValueError) as error:  # pyserial's, if a device goes while it is looked at
        msg = f"the serial ports cannot be looked at just now: {error}"
        raise RelayAway(msg) from error


def described(port: UsbPort) -> str:
    """Return a port as an operator would name it in the configuration."""
    serial = f", serial {port.serial_number}" if port.serial_number else ""
    return f"{port.device} (usb {port.vid or 0:04x}:{port.pid or 0:04x}{serial})"


def wanted(settings: RelaySettings) -> str:
    """Return what is looked for, in words."""
    if settings.port is not None:
        return str(settings.port)
    parts = [
        f"usb {settings.usb}" if settings.usb else "",
        f"serial {settings.serial}" if settings.serial else "",
    ]
    return ", ".join(part for part in parts if part) or "any USB serial port of an ESP32"


def device_of(path: str) -> str:
    """Return the device that a link in /dev/serial/by-id stands for: two links may name one port."""
    return str(Path(path).resolve())


def _fits(settings: RelaySettings, port: UsbPort) -> bool:
    usb = (port.vid or 0, port.pid or 0)
    if settings.usb is not None and usb != settings.usb_numbers():
        return False
    if settings.serial is not None:
        return port.serial_number == settings.serial
    return settings.usb is not None or usb in ESP32_USB
