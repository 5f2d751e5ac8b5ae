"""`derb gateway check`: finds what will hurt before it hurts."""

import ipaddress
import shutil
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from derb_gateway import schema
from derb_gateway.broker import BrokerProcess, choose_engine, port_fault
from derb_gateway.broker_check import queue_limit, window
from derb_gateway.clock import Clock
from derb_gateway.config import BrokerSettings, Config, FileSinkSettings
from derb_gateway.errors import BrokerError, BrokerMissing, ConfigError, StoreInUse, StoreLocked
from derb_gateway.findings import Finding, Verdict, file_fault, folder_fault, ground
from derb_gateway.http_check import check_http
from derb_gateway.machine_check import check_machine
from derb_gateway.registry import Registry, load_registry
from derb_gateway.relay_check import check_relays
from derb_gateway.sink_check import check_sinks, login_fault, secret_files_of

_DISK_BAD_BYTES = 100_000_000
_DISK_POOR_BYTES = 1_000_000_000
_NAMED = 5
_OTHERS_MAY_READ = stat.S_IRWXG | stat.S_IRWXO


async def check(config: Config, clock: Clock, path: Path | None = None) -> list[Finding]:
    """Look at everything; whatever is wrong is a finding, not an error. `path`: of the configuration."""
    try:
        registry, findings = load_registry(config.registry), []
    except ConfigError as error:
        registry, findings = Registry(), [Finding(Verdict.BAD, "registry", str(error))]
    else:
        findings = [check_registry(registry, config.registry)]
    store, running = check_store(config.store.path)
    findings += [*check_secrets(config, path), check_disk(config.store.path), *check_machine(config.store)]
    findings += [store, check_clock(clock)]
    findings += [finding async for finding in check_broker(config.broker, registry, running=running)]
    findings += [finding async for finding in check_relays(config.relay, clock, running=running)]
    findings += [finding async for finding in check_http(config.http, running=running)]
    return findings + [finding async for finding in check_sinks(config.sink)]


def check_registry(registry: Registry, path: Path) -> Finding:
    """How many nodes there are, and which of them nobody placed."""
    if not registry.keys:
        return Finding(Verdict.WARN, "registry", f"{path} has no node: all frames will be refused")
    nodes = _counted(len(registry.keys), "node")
    lost = sorted(registry.keys.keys() - registry.bays.keys() - registry.containers.keys())
    if not lost:
        return Finding(Verdict.OK, "registry", f"{nodes}; each has a place")
    named = ", ".join(lost[:_NAMED]) + (f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else "")
    return Finding(Verdict.WARN, "registry", f"{nodes}; no place for {named}: add a bay or a container")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def check_secrets(config: Config, own: Path | None = None) -> Iterator[Finding]:
    """Files with keys or passwords that others on this machine may read."""
    in_config = [own] if own is not None and _has_password(config) else []
    for path in (*in_config, *secret_files(config)):
        if path.stat().st_mode & _OTHERS_MAY_READ:
            yield Finding(Verdict.WARN, "secrets", f"others may read {path}: chmod 600 {path}")
        else:
            yield Finding(Verdict.OK, "secrets", f"{path} is its owner's alone")


def _has_password(config: Config) -> bool:
    return any(getattr(each, "password", None) for each in (config.broker, *config.sink))


def secret_files(config: Config) -> Iterator[Path]:
    """The files with keys or passwords that are there and may be read."""
    sinks = [sink for sink in config.sink if not isinstance(sink, FileSinkSettings)]
    secret = [path for each in (config.broker, *sinks) for path in secret_files_of(each)]
    for path in (config.registry, *secret):
        if file_fault(path) is None:
            yield path


def check_disk(path: Path) -> Finding:
    """Room on the store's disk."""
    folder = ground(path.parent)
    free = shutil.disk_usage(folder).free
    verdict = (
        Verdict.OK if free > _DISK_POOR_BYTES else Verdict.WARN if free > _DISK_BAD_BYTES else Verdict.BAD
    )
    return Finding(verdict, "disk", f"{free / 1e9:.1f} GB free at {folder}")


def check_store(path: Path) -> tuple[Finding, bool]:
    """Whether the store can be opened, without touching a sound or a damaged one, and whether a gateway has it."""
    if (fault := folder_fault(path.parent)) is not None:
        return Finding(Verdict.BAD, "store", fault), False
    if not path.exists():
        return Finding(Verdict.OK, "store", f"{path} will be made"), False
    try:
        schema.unlock(schema.lock(path))
        schema.connect(path).close()
    except StoreInUse as error:
        return Finding(Verdict.WARN, "store", str(error)), True
    except StoreLocked as error:
        return Finding(Verdict.BAD, "store", str(error)), False
    except schema.Damaged as damage:
        told = f"{path} is damaged and will be set aside: {damage}"
        return Finding(Verdict.WARN, "store", told), False
    return Finding(Verdict.OK, "store", f"{path} is sound"), False


def check_clock(clock: Clock) -> Finding:
    """Whether the wall clock can be believed."""
    if clock.synchronised():
        return Finding(Verdict.OK, "clock", "synchronised")
    return Finding(
        Verdict.WARN, "clock", "not synchronised: times will be as wrong as this clock (timedatectl)"
    )


async def check_broker(
    settings: BrokerSettings, registry: Registry, *, running: bool
) -> AsyncIterator[Finding]:
    """Whether the broker is there, or can be, and lets a gateway work that acknowledges after the commit."""
    fault = login_fault(settings)
    if fault is None and settings.manage:
        fault = await _managed_fault(settings, running=running)
    if fault is not None:
        yield Finding(Verdict.BAD, "broker", fault)
        return
    if settings.manage:
        yield _managed(settings, registry, running=running)
        settings = BrokerProcess(settings).settings
    if running or not settings.manage:
        async for finding in _limits(settings):
            yield finding


async def _managed_fault(settings: BrokerSettings, *, running: bool) -> str | None:
    """Why a broker of our own could not be started; what listens while a gateway runs is that gateway's."""
    try:
        choose_engine(settings)
    except BrokerMissing as error:
        return str(error)
    if (fault := folder_fault(settings.directory)) is not None:
        return fault
    if settings.password_list is not None and (fault := file_fault(settings.password_list)) is not None:
        return fault
    if running:
        return None
    return await port_fault(settings) or await _psk_port_fault(settings)


async def _psk_port_fault(settings: BrokerSettings) -> str | None:
    if settings.psk_port is None:
        return None
    return await port_fault(
        settings.model_copy(update={"port": settings.psk_port, "bind": settings.psk_bind})
    )


def _managed(settings: BrokerSettings, registry: Registry, *, running: bool) -> Finding:
    told = f"{choose_engine(settings)} {'was' if running else 'will be'} started by the gateway"
    reaches = settings.bind if settings.psk_port is None else settings.psk_bind
    if registry.keys and _only_here(reaches):
        advice = 'but only programs on this machine can reach it: set broker.bind = "0.0.0.0" for nodes'
        return Finding(Verdict.WARN, "broker", f"{told}, {advice}")
    return Finding(Verdict.OK, "broker", told)


def _only_here(bind: str) -> bool:
    try:
        return ipaddress.ip_address(bind).is_loopback
    except ValueError:
        return bind == "localhost"


async def _limits(settings: BrokerSettings) -> AsyncIterator[Finding]:
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
