"""Which serial port the node is at: the one that was named, else the only one with an ESP32's USB identity."""

import errno
from pathlib import Path

from derb_gateway.relay_ports import ESP32_USB, Lister, described, usb_ports

from derb_tools.errors import PortError

_NONE = (
    "no serial port of an ESP32 on USB: plug the node in; a cable that only charges has no data wires. `derb doctor` "
    "looks further"
)


def find_port(asked: str | None, ports: Lister = usb_ports) -> str:
    """The device to open. PortError when there is none, or more than one to choose from."""
    if asked is not None:
        return asked
    found = sorted(
        (port for port in ports() if (port.vid or 0, port.pid or 0) in ESP32_USB), key=lambda p: p.device
    )
    if not found:
        raise PortError(_NONE)
    if len(found) > 1:
        listed = "\n".join(f"  --port {described(port)}" for port in found)
        raise PortError(f"more than one port may be the node's; say which:\n{listed}")
    return found[0].device


def is_there(device: str) -> bool:
    """Whether the port exists; a URL of pyserial always does."""
    return "://" in device or Path(device).exists()


def explained(device: str, error: OSError) -> PortError:
    """Why a port cannot be opened, and what to do."""
    number = error.errno
    if number in (errno.EACCES, errno.EPERM):
        return PortError(f"{device}: you may not open it: {permission_cure(device)}")
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
        return PortError(
            f"{device}: another program has it open; close it (screen, an editor's monitor, derb)"
        )
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return PortError(f"{device}: is not there; plug the node in, or name another with --port")
    return PortError(f"{device}: cannot be opened: {error.strerror or error}")


def permission_cure(device: str) -> str:
    """What gives this user the right to open the port."""
    try:
        group = Path(device).group()
    except (OSError, KeyError):
        group = "dialout"
    return f"sudo usermod -aG {group} $USER, then log out and in again"
