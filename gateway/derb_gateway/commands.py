"""Commands to nodes: the closed list, how one goes over the air, and what state it is in (docs/protocol.md, Section 2)."""

import re
import struct
from typing import NamedTuple

from derb_gateway.errors import ConfigError
from derb_gateway.toml_model import nearest
from derb_gateway.wire import write_varint

COMMAND_SECTION = 2
_IDS_SINCE_MS = 1_577_836_800_000  # 2020-01-01; ids stay below 2^31
_MS_AN_ID = 60_000
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Kind(NamedTuple):
    """What a command is on the wire and what its argument may be."""

    code: int
    default: int
    most: int
    unit: str
    help: str


COMMANDS = {
    "identify": Kind(1, 20, 60, "s", "blink for so many seconds"),
    "self_test": Kind(2, 0, 0, "", "measure once and send the readings"),
    "recalibrate": Kind(3, 0, 0, "", "forget what was learnt of the place: it must be free or empty"),
    "stay_awake": Kind(4, 5, 30, "min", "keep the connection for so many minutes"),
    "diagnostics": Kind(5, 0, 0, "", "send a health reading"),
    "reboot": Kind(6, 0, 0, "", "start anew"),
    "update": Kind(7, 0, 0xFFFF_FFFF, "version", "fetch and try this firmware"),
}


class Command(NamedTuple):
    """A command and what the node answered (None: nothing yet)."""

    id: int
    name: str
    argument: int
    deadline_ms: int
    asked_ms: int
    result: str | None = None
    value: int | None = None
    answered_ms: int | None = None

    def state(self, now_ms: int) -> str:
        """Return waiting, started, done, failed, expired, refused or a result's number."""
        if self.result is not None:
            return self.result
        return "waiting" if now_ms <= self.deadline_ms else "expired"


def command_kind(name: str) -> Kind:
    """Return what is known of a command; ConfigError that says which there are."""
    kind = COMMANDS.get(name.replace("-", "_"))
    if kind is None:
        raise ConfigError([f"{name}: there is no such command{nearest(name, list(COMMANDS))}"])
    return kind


def encode_command(command: Command) -> bytes:
    """Return the body of section 2."""
    kind = COMMANDS[command.name]
    deadline_s = min(command.deadline_ms // 1000, 0xFFFF_FFFF)
    return (
        write_varint(command.id) + struct.pack("<BI", kind.code, deadline_s) + write_varint(command.argument)
    )


def first_id(now_ms: int) -> int:
    """Return the least id that a command of now may have: higher than all of a file that was lost."""
    return max(1, (now_ms - _IDS_SINCE_MS) // _MS_AN_ID)


def parse_duration_s(text: str) -> int:
    """Return the seconds of 90s, 10m, 2h or 7d; ConfigError."""
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text)
    if match is None:
        raise ConfigError([f"{text!r}: write a time as 90s, 10m, 2h or 7d"])
    return int(match[1]) * _UNITS_S[match[2]]
