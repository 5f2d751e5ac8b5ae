"""Mosquitto: where it is, and a configuration for it that does not lose what a gateway needs."""

import getpass
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from derb_gateway.broker_access import acl_path, psk_path
from derb_gateway.config import BrokerSettings
from derb_gateway.errors import BrokerMissing

_ELSEWHERE = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin", "/opt/homebrew/bin")


def find_mosquitto() -> Path | None:
    """Return the broker's program, also where a user's PATH does not look."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *_ELSEWHERE])
    found = shutil.which("mosquitto", path=path)
    return Path(found) if found else None


def require_mosquitto() -> Path:
    """Return the broker's program; BrokerMissing says how to get it."""
    found = find_mosquitto()
    if found is None:
        msg = "there is no mosquitto here: `sudo apt-get install mosquitto`, or set broker.manage = false"
        raise BrokerMissing(msg)
    return found


def mosquitto_conf(settings: BrokerSettings, *, rights: bool = False, user: str | None = None) -> str:
    """Return a configuration for Mosquitto 2.0 and later; `rights`: the files of broker_access are there; `user`: whom it
    runs as, else whoever we are.

    Its own limits (20 unacknowledged messages, 1,000 queued, then silent loss) would throttle a gateway that
    acknowledges after the commit. It need not write at every change: what it forgets is still in the street.
    """
    lines = [
        "per_listener_settings true",
        f"user {user or getpass.getuser()}",
        "persistence true",
        f"persistence_location {settings.directory}/",
        f"autosave_interval {settings.autosave_interval_s}",
        f"autosave_on_changes {_word(settings.autosave_on_changes)}",
        f"max_inflight_messages {settings.receive_maximum}",
        f"max_queued_messages {settings.max_queued_messages}",
        "max_queued_bytes 0",
        f"max_packet_size {settings.max_packet_bytes}",
        "set_tcp_nodelay true",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "connection_messages false",
        f"listener {settings.port} {settings.bind}",
        f"allow_anonymous {_word(settings.password_list is None)}",
    ]
    if settings.password_list is not None:
        lines.append(f"password_file {settings.password_list}")
        if rights:
            lines.append(f"acl_file {acl_path(settings)}")
    if rights and settings.psk_port is not None:
        lines += _psk_listener(settings)
    return "\n".join(lines) + "\n"


def _psk_listener(settings: BrokerSettings) -> Iterator[str]:
    """A node's identity there is its id, and its key proves it: no password, and nobody is anonymous."""
    yield f"listener {settings.psk_port} {settings.psk_bind}"
    yield "allow_anonymous false"
    yield "psk_hint derb"
    yield f"psk_file {psk_path(settings)}"
    yield "use_identity_as_username true"
    yield f"acl_file {acl_path(settings)}"


def _word(yes: bool) -> str:
    return "true" if yes else "false"
