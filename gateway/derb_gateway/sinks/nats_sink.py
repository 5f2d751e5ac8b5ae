"""NATS JetStream, one message a reading: a batch is published at once, and each message is done when its own ack is back.

`Nats-Msg-Id` is the reading's key, so a repeat within the stream's duplicate window is dropped by the server. After a
longer outage than that window it is not, and the key tells.
"""

import asyncio
import json
import ssl
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from nats.aio.client import Client
from nats.errors import Error, MaxPayloadError
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from nats.js.errors import APIError, NotFoundError

from derb_gateway.errors import SinkPartly, SinkRefused, SinkRetry
from derb_gateway.sink_settings import NatsSinkSettings
from derb_gateway.sinks.base import Batch

_TOO_LARGE = 10054  # JetStream: message size exceeds maximum allowed
_DUPLICATES_S = timedelta(hours=1).total_seconds()


class NatsSink:
    """One connection that is made when it is needed and made again after any failure."""

    def __init__(self, settings: NatsSinkSettings, site: str) -> None:
        self._settings = settings
        self._prefix = f"{settings.subject}.{site.replace('.', '_')}"
        self._client: Client | None = None
        self._stream: JetStreamContext | None = None

    async def open(self, state: str | None) -> str | None:
        """Do nothing: `deliver` connects."""
        return state

    async def deliver(self, batch: Batch, state: str | None) -> str | None:
        """Publish and wait for every ack. SinkRetry, SinkPartly, SinkRefused."""
        acks: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                stream = await self._connected()
                refused, acks = await self._published(stream, batch)
                await asyncio.wait(acks) if acks else None
        except (Error, OSError, ValueError, TimeoutError) as error:
            if not any(ack.done() for ack in acks):
                await self.close()
                msg = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
                raise SinkRetry(msg, overloaded=isinstance(error, TimeoutError)) from error
        await self._judge(refused, acks, len(batch.readings))
        return state

    async def close(self) -> None:
        """Leave the server."""
        client, self._client, self._stream = self._client, None, None
        if client is not None:
            await client.close()

    async def _connected(self) -> JetStreamContext:
        if self._client is None or self._stream is None or not self._client.is_connected:
            await self.close()
            self._client = await nats_connection(self._settings)
            self._stream = self._client.jetstream(publish_async_max_pending=self._settings.batch_size)
            if self._settings.stream is not None:
                await self._ensure_stream(self._stream, self._settings.stream)
        return self._stream

    async def _ensure_stream(self, stream: JetStreamContext, name: str) -> None:
        try:
            await stream.stream_info(name)
        except NotFoundError:
            subjects = [f"{self._settings.subject}.>"]
            await stream.add_stream(
                StreamConfig(name=name, subjects=subjects, duplicate_window=_DUPLICATES_S)
            )

    async def _published(
        self, stream: JetStreamContext, batch: Batch
    ) -> tuple[dict[int, str], list[asyncio.Future[Any]]]:
        """Return what is too long for the server, and an ack to wait for in the place of every reading."""
        refused: dict[int, str] = {}
        acks: list[asyncio.Future[Any]] = []
        for place, reading in enumerate(batch.readings):
            payload = json.dumps(reading, separators=(",", ":")).encode()
            headers = {"Nats-Msg-Id": str(reading["key"])}
            try:
                acks.append(await stream.publish_async(self._subject(reading), payload, headers=headers))
            except MaxPayloadError:
                refused[place] = f"{len(payload)} bytes are more than the server takes in one message"
                acks.append(_already_done())
        return refused, acks

    def _subject(self, reading: dict[str, Any]) -> str:
        speaker = quote(reading["node"], safe="").replace(".", "%2E")  # a place's name may hold anything
        return f"{self._prefix}.{reading['kind']}.{speaker}"

    async def _judge(self, refused: dict[int, str], acks: list[asyncio.Future[Any]], count: int) -> None:
        again: dict[int, str] = {}
        for place, ack in enumerate(acks):
            if not ack.done() or ack.cancelled():
                again[place] = "no ack in time"
                ack.cancel()
            elif (error := ack.exception()) is not None:
                too_large = isinstance(error, APIError) and error.err_code == _TOO_LARGE
                (refused if too_large else again)[place] = f"{type(error).__name__}: {error}"
        if len(again) == count:
            await self.close()
            answered = any(ack.done() and not ack.cancelled() for ack in acks)
            raise SinkRetry(next(iter(again.values())), overloaded=True, suspect=answered)
        if len(refused) == count:
            raise SinkRefused(next(iter(refused.values())))
        if refused or again:
            raise SinkPartly(refused, again)


async def nats_connection(settings: NatsSinkSettings) -> Client:
    """Return a connection that is not made again by itself: what was under way when it broke is the forwarder's to repeat."""
    options: dict[str, Any] = {
        "name": f"derb {settings.name}",
        "allow_reconnect": False,
        "error_cb": _told_elsewhere,
    }
    options["connect_timeout"] = settings.timeout_s
    if settings.credentials_file is not None:
        options["user_credentials"] = str(settings.credentials_file)
    if settings.username is not None and settings.password_file is not None:
        options |= {"user": settings.username, "password": settings.password_file.read_text().strip()}
    if (tls := settings.tls) is not None:
        options["tls"] = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file is not None:
            options["tls"].load_cert_chain(tls.cert_file, tls.key_file)
    client = Client()
    try:
        await client.connect(settings.servers, **options)
    except (AttributeError, TypeError, LookupError) as error:  # nats-py believes any greeting that is JSON
        await client.close()
        msg = f"no NATS server: {error}"
        raise Error(msg) from error
    except BaseException:
        await (
            client.close()
        )  # or its socket stays open: a server that greets wrongly, a deadline in the middle
        raise
    return client


def _already_done() -> "asyncio.Future[Any]":
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


async def _told_elsewhere(_error: Exception) -> None:
    """Do nothing: the same error ends the call that waits for it."""
