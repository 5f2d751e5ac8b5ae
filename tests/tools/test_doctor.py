"""The laptop's ills are found, each with its cure; a healthy laptop has none."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

from derb_tools.doctor import (
    examine,
    of_clock,
    of_disk,
    of_meddlers,
    of_packages,
    of_ports,
    of_python,
    of_usb,
)
from tools.command import run_derb
from tools.test_usb_port import Port


def test_ports_that_this_user_may_not_open_have_a_cure(tmp_path: Path) -> None:
    node = Port("/dev/ttyUSB0")
    assert [check.passed for check in of_ports([node], lambda device: True)] == [True]
    (denied,) = of_ports([node], lambda device: False)
    assert "usermod -aG" in denied.do
    (none,) = of_ports([Port("/dev/ttyS9", 0x046D, 0x1)], lambda device: False)
    assert none.passed
    assert "no ESP32" in none.value


def test_a_converter_without_a_port_lacks_its_driver(tmp_path: Path) -> None:
    device = tmp_path / "sys/bus/usb/devices/1-2"
    device.mkdir(parents=True)
    (device / "idVendor").write_text("1a86\n")
    (device / "idProduct").write_text("7523\n")
    (found,) = of_usb(tmp_path)
    assert "modprobe ch341" in found.do
    assert "1a86:7523" in found.value
    (device / "1-2:1.0" / "ttyUSB0").mkdir(parents=True)
    assert not list(of_usb(tmp_path))
    assert not list(of_usb(tmp_path / "nowhere"))


def test_programs_that_take_ports_are_named(tmp_path: Path) -> None:
    for number, name in enumerate(("bash", "ModemManager", "brltty")):
        (tmp_path / f"proc/{number}").mkdir(parents=True)
        (tmp_path / f"proc/{number}/comm").write_text(f"{name}\n")
    assert [check.check for check in of_meddlers(tmp_path)] == ["ModemManager", "brltty"]


def test_packages_python_disk_and_clock() -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    assert all("pip install" in check.do for check in of_packages(missing))
    assert all(check.passed for check in of_packages(lambda name: "1.0"))
    assert not of_python((3, 10)).passed
    assert of_python((3, 11)).passed
    assert [check.passed for check in of_disk({"a": 2_000_000_000, "b": 1_000_000})] == [True, False]
    assert not of_clock(False).passed
    assert of_clock(True).passed


def test_on_this_machine_it_comes_to_an_end_and_says_so() -> None:
    done = run_derb("doctor", "--json")
    report = json.loads(done.stdout)
    assert report["pass"] == (done.returncode == 0)
    assert all(bool(each["do"]) != each["pass"] for each in report["checks"])
    assert {"python", "mpremote", "disk", "clock"} <= {each["check"] for each in report["checks"]}
    assert len(list(examine())) == len(report["checks"])
