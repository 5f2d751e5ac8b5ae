"""`derb gateway check`: finds what will hurt before it hurts."""

import enum
import os
import shutil
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

from derb_gateway import schema
from derb_gateway.broker import choose_engine, reachable
from derb_gateway.broker_check import queue_limit, window
from derb_gateway.clock import Clock
from derb_gateway.config import Config, Connection
from derb_gateway.errors import BrokerError, BrokerMissing, ConfigError, StoreLocked
from derb_gateway.registry import load_registry

_DISK_BAD_BYTES = 100_000_000
_DISK_POOR_BYTES = 1_000_000_000
_OTHERS_MAY_READ = stat.S_IRWXG | stat.S_IRWXO


class Verdict(enum.Enum):
    """What a finding means for the operator."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


class Finding(NamedTuple):
    """One thing looked at."""

    verdict: Verdict
    what: str
    detail: str


async def check(config: Config, clock: Clock) -> list[Finding]:
    """Look at everything; whatever is wrong is a finding, not an error."""
    findings = [check_registry(config.registry), *check_secrets(config), check_disk(config.store.path)]
    findings += [check_store(config.store.path), check_clock(clock)]
    return findings + [finding async for finding in check_broker(config)]


def check_registry(path: Path) -> Finding:
    """Every mistake in the registry, or how many nodes it has."""
    try:
        registry = load_registry(path)
    except ConfigError as error:
        return Finding(Verdict.BAD, "registry", str(error))
    if not registry.keys:
        return Finding(Verdict.WARN, "registry", f"{path} has no node: all frames will be refused")
    placed = len(registry.bays) + len(registry.containers)
    return Finding(Verdict.OK, "registry", f"{len(registry.keys)} nodes, {placed} of them placed")


def check_secrets(config: Config) -> Iterator[Finding]:
    """Files with keys or passwords that others on this machine may read."""
    for path in secret_files(config):
        if path.stat().st_mode & _OTHERS_MAY_READ:
            yield Finding(Verdict.WARN, "secrets", f"others may read {path}: chmod 600 {path}")
        else:
            yield Finding(Verdict.OK, "secrets", f"{path} is its owner's alone")


def secret_files(config: Config) -> Iterator[Path]:
    """The files with keys or passwords that are there."""
    connections = [config.broker, *(sink for sink in config.sink if isinstance(sink, Connection))]
    tls = [connection.tls.key_file for connection in connections if connection.tls is not None]
    for path in (config.registry, *(connection.password_file for connection in connections), *tls):
        if path is not None and path.exists():
            yield path


def check_disk(path: Path) -> Finding:
    """Room on the store's disk."""
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    verdict = (
        Verdict.OK if free > _DISK_POOR_BYTES else Verdict.WARN if free > _DISK_BAD_BYTES else Verdict.BAD
    )
    return Finding(verdict, "disk", f"{free / 1e9:.1f} GB free at {folder}")


def check_store(path: Path) -> Finding:
    """Whether the store can be opened, without touching a sound or a damaged one."""
    if not path.exists():
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        writable = os.access(folder, os.W_OK)
        return Finding(Verdict.OK if writable else Verdict.BAD, "store", f"{path} will be made in {folder}")
    try:
        schema.unlock(schema.lock(path))
        schema.connect(path).close()
    except StoreLocked as error:
        return Finding(Verdict.WARN, "store", str(error))
    except schema.Damaged as damage:
        return Finding(Verdict.WARN, "store", f"{path} is damaged and will be set aside: {damage}")
    return Finding(Verdict.OK, "store", f"{path} is sound")


def check_clock(clock: Clock) -> Finding:
    """Whether the wall clock can be believed."""
    if clock.synchronised():
        return Finding(Verdict.OK, "clock", "synchronised")
    return Finding(
        Verdict.WARN, "clock", "not synchronised: times will be as wrong as this clock (timedatectl)"
    )


async def check_broker(config: Config) -> AsyncIterator[Finding]:
    """Whether the broker is there and lets a gateway work that acknowledges after the commit."""
    settings = config.broker
    if settings.manage:
        try:
            yield Finding(Verdict.OK, "broker", f"{choose_engine(settings)} will be started")
        except BrokerMissing as error:
            yield Finding(Verdict.BAD, "broker", str(error))
            return
        if not await reachable(settings.host, settings.port):
            return
    try:
        got, asked = await window(settings), settings.receive_maximum
        yield _limit(got, asked, "unacknowledged at once", "max_inflight_messages")
        kept, sent = await queue_limit(settings)
        yield _limit(kept, sent, "kept for us while we are away", "max_queued_messages")
    except BrokerError as error:
        yield Finding(Verdict.BAD, "broker", f"{settings.host}:{settings.port}: {error}")


def _limit(got: int, wanted: int, what: str, setting: str) -> Finding:
    if got >= wanted:
        return Finding(Verdict.OK, "broker", f"{got} messages {what}")
    return Finding(Verdict.WARN, "broker", f"only {got} of {wanted} messages {what}: raise {setting}")
