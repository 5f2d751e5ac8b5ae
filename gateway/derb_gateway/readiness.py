"""Whether the gateway can do its work now, and if not, what it waits for: what /readyz says."""

import os
from pathlib import Path

from derb_gateway.liveness import Liveness
from derb_gateway.reconnect import Reconnect, State
from derb_gateway.writer import Writer


def obstacles(connection: Reconnect, writer: Writer, liveness: Liveness, store: Path) -> list[str]:
    """Return why readings cannot be taken just now, in words; nothing if they can."""
    found = [*_broker(connection), *_store(writer, store), *liveness.stalls()]
    if liveness.is_replacing():
        found.append("the damaged store is being replaced")
    if not liveness.probes:
        found.append("the writer has not answered yet")
    return found


def _broker(connection: Reconnect) -> list[str]:
    if connection.state is State.UP:
        return []
    told = f": {connection.why}" if connection.why else ""
    return [f"not connected to the street's broker ({connection.state.value}){told}"]


def _store(writer: Writer, store: Path) -> list[str]:
    if writer.refusing is not None:
        return [f"the store took nothing the last time: {writer.refusing}"]
    try:
        read_only = bool(os.statvfs(store.parent).f_flag & os.ST_RDONLY)
    except OSError as error:
        return [f"{store.parent} cannot be looked at: {error.strerror}"]
    return [f"{store.parent} is mounted read-only"] if read_only else []
