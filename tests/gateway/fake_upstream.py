"""An HTTP upstream over a real socket that misbehaves as it is told, request by request."""

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import zstandard

Answer = bytes | None
"""What goes over the wire, byte for byte; None: nothing ever."""


@dataclass
class Asked:
    """A request that came whole."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def unpacked(self) -> bytes:
        encoding = self.headers.get("content-encoding")
        if encoding == "gzip":
            return gzip.decompress(self.body)
        return zstandard.decompress(self.body) if encoding == "zstd" else self.body

    def readings(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.unpacked().splitlines()]

    def keys(self) -> list[str]:
        return [str(reading["key"]) for reading in self.readings()]


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def http_json(status: int, content: object) -> bytes:
    return http(status, json.dumps(content).encode(), "Content-Type: application/json")


@dataclass
class FakeUpstream:
    """Answers from `script` first, then by `otherwise`; drips the answer if told to."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)
    script: list[Answer] = field(default_factory=list)
    otherwise: Callable[[Asked], Answer] = lambda _: http(204)
    drip_s: float = 0.0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (asked := await _request(reader)) is not None:
                self.asked.append(asked)
                answer = self.script.pop(0) if self.script else self.otherwise(asked)
                if answer is None:
                    await asyncio.Event().wait()
                elif not await self._say(writer, answer):
                    break
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass  # whoever asked has gone
        finally:
            writer.close()

    async def _say(self, writer: asyncio.StreamWriter, answer: bytes) -> bool:
        """Send, and return whether the answer was whole, so that the connection may go on."""
        for part in [answer[i : i + 1] for i in range(len(answer))] if self.drip_s else [answer]:
            writer.write(part)
            await writer.drain()
            if self.drip_s:
                await asyncio.sleep(self.drip_s)
        head, _, body = answer.partition(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return bool(lengths) and int(lengths[0].partition(b":")[2]) == len(body)


async def _request(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    method, path, _ = head[0].split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, headers, body)


@asynccontextmanager
async def fake_upstream(port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[FakeUpstream]:
    """A listening upstream; at the end its connections are dropped."""
    upstream = FakeUpstream()
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await upstream.serve(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            tasks.discard(task)

    server = await asyncio.start_server(handle, "127.0.0.1", port, ssl=tls)
    upstream.port = server.sockets[0].getsockname()[1]
    try:
        yield upstream
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
