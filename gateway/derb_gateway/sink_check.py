"""What stands between the readings and the city: each sink is tried, and nothing is left behind."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from derb_gateway.broker import reachable
from derb_gateway.connection import Connection
from derb_gateway.errors import BrokerError, BrokerRefused
from derb_gateway.findings import Finding, Verdict, file_fault, folder_fault
from derb_gateway.mqtt_link import SessionWish, connect
from derb_gateway.sink_settings import (
    FileSinkSettings,
    MqttSinkSettings,
    NatsSinkSettings,
    SinkSettings,
    Upstream,
)
from derb_gateway.upstream_check import check_http, check_nats


async def check_sinks(sinks: list[SinkSettings]) -> AsyncIterator[Finding]:
    """Whether each sink could take readings now."""
    if not sinks:
        yield Finding(Verdict.WARN, "sink", "there is none, so readings go nowhere: add a [[sink]]")
    for sink in sinks:
        yield await _check(f"sink {sink.name}", sink)


async def _check(what: str, sink: SinkSettings) -> Finding:
    if isinstance(sink, FileSinkSettings):
        return _file(what, sink.directory)
    if (fault := login_fault(sink)) is not None:
        return Finding(Verdict.BAD, what, fault)
    if isinstance(sink, MqttSinkSettings):
        return await _mqtt(what, sink)
    return (
        await check_nats(what, sink) if isinstance(sink, NatsSinkSettings) else await check_http(what, sink)
    )


def login_fault(connection: Connection | Upstream | NatsSinkSettings) -> str | None:
    """Return which file of a login or of TLS cannot be read; None if all can."""
    tls = connection.tls
    files = [*secret_files_of(connection), *((tls.ca_file, tls.cert_file) if tls else ())]
    return next((fault for path in files if path is not None and (fault := file_fault(path))), None)


def secret_files_of(connection: Connection | Upstream | NatsSinkSettings) -> list[Path]:
    """Return the files of a login that are nobody else's to read."""
    files = [connection.password_file, connection.tls.key_file if connection.tls else None]
    files.append(getattr(connection, "token_file", None))
    files.append(getattr(connection, "credentials_file", None))
    return [path for path in files if path is not None]


def _file(what: str, folder: Path) -> Finding:
    if (fault := folder_fault(folder)) is not None:
        return Finding(Verdict.BAD, what, fault)
    made = "can be written" if folder.exists() else "will be made"
    return Finding(Verdict.OK, what, f"{folder} {made}")


async def _mqtt(what: str, sink: MqttSinkSettings) -> Finding:
    """An upstream that is away is no mistake of the gateway's: what waits for it is kept."""
    where = f"{sink.host}:{sink.port}"
    if not await reachable(sink.host, sink.port):
        told = f"nothing takes connections at {where}: see host and port; until then readings wait here"
        return Finding(Verdict.WARN, what, told)
    if sink.client_id is not None:  # two of one name drive each other out, and another name may not be let in
        return Finding(Verdict.OK, what, f"{where} takes connections")
    wish = SessionWish(sink.mqtt_version())
    try:
        async with connect(sink, f"derb-check-{secrets.token_hex(6)}", wish):
            return Finding(Verdict.OK, what, f"{where} lets us in")
    except BrokerRefused as error:
        return Finding(Verdict.BAD, what, f"{where}: {error}: see username and password")
    except BrokerError as error:
        return Finding(Verdict.WARN, what, f"{where} takes connections, but: {error}; see port and tls")
