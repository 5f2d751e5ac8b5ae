"""JetStream on a real nats-server: each reading acknowledged by itself, repeats dropped, restarts survived."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import nats
import pytest
import pytest_asyncio
from derb_gateway.errors import SinkPartly, SinkRefused, SinkRetry
from derb_gateway.findings import Finding, Verdict
from derb_gateway.sink_settings import NatsSinkSettings
from derb_gateway.sinks.base import Batch
from derb_gateway.sinks.nats_sink import NatsSink
from derb_gateway.upstream_check import check_nats
from gateway.kit import NODE, free_port, listening, wait_until
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StreamConfig
from system import find_program

ROOT = Path(__file__).parents[3]


class NatsServer:
    """Debian's nats-server with JetStream, or with a configuration of ours."""

    def __init__(self, folder: Path, conf: str | None = None, port: int = 0) -> None:
        self.port = port or free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self._conf = folder / "nats.conf"
        ours = f"listen: 127.0.0.1:{self.port}\njetstream {{ store_dir: '{folder}/js' }}\nmax_payload: 4096\n"
        self._conf.write_text(ours if conf is None else conf)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = find_program("nats-server")
        assert program is not None
        self.process = subprocess.Popen([program, "-c", str(self._conf)], stderr=subprocess.DEVNULL)
        wait_until(lambda: listening(self.port))

    def stop(self, *, kill: bool = False) -> None:
        if self.process is not None:
            (self.process.kill if kill else self.process.terminate)()
            self.process.wait()
            self.process = None

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[JetStreamContext]:
        client = await nats.connect(f"nats://127.0.0.1:{self.port}")
        try:
            yield client.jetstream()
        finally:
            await client.close()

    async def messages(self, name: str = "DERB") -> list[dict[str, object]]:
        async with self.stream() as stream:
            state = (await stream.stream_info(name)).state
            found = [await stream.get_msg(name, i) for i in range(state.first_seq, state.last_seq + 1)]
        return [json.loads(message.data or b"") for message in found if state.messages]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    server = NatsServer(tmp_path)
    server.start()
    yield server
    server.stop()


def settings(port: int, **more: object) -> NatsSinkSettings:
    values = {"type": "nats", "name": "city", "servers": [f"nats://127.0.0.1:{port}"], "timeout_s": 2.0}
    return NatsSinkSettings.model_validate({**values, "stream": "DERB", **more})


@pytest_asyncio.fixture
async def sink(server: NatsServer) -> AsyncIterator[NatsSink]:
    sink = NatsSink(settings(server.port), "casa.maarif")
    yield sink
    await sink.close()


def batch(first: int, count: int, **more: object) -> Batch:
    numbers = range(first, first + count)
    readings = [{"key": f"{NODE}:1:{i}", "node": NODE, "kind": "parking", "seq": i, **more} for i in numbers]
    return Batch(first, first + count - 1, readings)


async def test_each_reading_is_a_message_under_its_own_subject(server: NatsServer, sink: NatsSink) -> None:
    assert await sink.deliver(batch(0, 500), "kept") == "kept"
    assert [message["seq"] for message in await server.messages()] == list(range(500))
    async with server.stream() as stream:
        assert (await stream.get_msg("DERB", 1)).subject == f"derb.casa_maarif.parking.{NODE}"


async def test_a_place_speaks_under_a_subject_whatever_its_name(server: NatsServer, sink: NatsSink) -> None:
    place = {
        **batch(0, 1).readings[0],
        "kind": "place",
        "node": "bay:Rue d'Alger 3.b",
        "key": "bay:Rue d'Alger 3.b:1:7",
    }
    await sink.deliver(Batch(1, 1, [place]), None)
    await sink.deliver(Batch(1, 1, [place]), None)
    (message,) = await server.messages()
    assert message["node"] == "bay:Rue d'Alger 3.b"
    async with server.stream() as stream:
        subject = (await stream.get_msg("DERB", 1)).subject
    assert subject == "derb.casa_maarif.place.bay%3ARue%20d%27Alger%203%2Eb"


async def test_a_repeat_is_dropped_by_the_server(server: NatsServer, sink: NatsSink) -> None:
    await sink.deliver(batch(0, 20), None)
    await sink.deliver(batch(10, 20), None)
    assert [message["seq"] for message in await server.messages()] == list(range(30))


async def test_a_repeat_after_a_restart_of_both_is_dropped_too(server: NatsServer, sink: NatsSink) -> None:
    await sink.deliver(batch(0, 20), None)
    server.stop(kill=True)
    with pytest.raises(SinkRetry):
        await sink.deliver(batch(20, 5), None)
    server.start()
    again = NatsSink(settings(server.port), "casa.maarif")
    await again.deliver(batch(0, 25), None)
    await again.close()
    assert [message["seq"] for message in await server.messages()] == list(range(25))


async def test_the_same_sink_comes_back_by_itself(server: NatsServer, sink: NatsSink) -> None:
    await sink.deliver(batch(0, 5), None)
    server.stop()
    for _ in range(3):
        with pytest.raises(SinkRetry):
            await sink.deliver(batch(5, 5), None)
    server.start()
    await sink.deliver(batch(5, 5), None)
    assert len(await server.messages()) == 10


async def test_one_that_is_too_long_costs_only_itself(server: NatsServer, sink: NatsSink) -> None:
    mixed = [*batch(0, 2).readings, *batch(2, 1, long="x" * 5000).readings, *batch(3, 2).readings]
    with pytest.raises(SinkPartly) as caught:
        await sink.deliver(Batch(0, 4, mixed), None)
    assert list(caught.value.refused) == [2]
    assert caught.value.again == {}
    assert [message["seq"] for message in await server.messages()] == [0, 1, 3, 4]
    with pytest.raises(SinkRefused):
        await sink.deliver(batch(2, 1, long="x" * 5000), None)


async def test_a_stream_that_is_full_is_an_upstream_that_is_away(server: NatsServer, sink: NatsSink) -> None:
    async with server.stream() as stream:
        config = StreamConfig(name="DERB", subjects=["derb.>"], max_msgs=3, discard=DiscardPolicy.NEW)
        await stream.add_stream(config)
    with pytest.raises(SinkPartly) as caught:
        await sink.deliver(batch(0, 5), None)
    assert list(caught.value.again) == [3, 4]
    with pytest.raises(SinkRetry) as away:
        await sink.deliver(batch(3, 2), None)
    assert away.value.overloaded


async def test_no_stream_takes_it(server: NatsServer) -> None:
    sink = NatsSink(settings(server.port, stream=None), "casa")
    with pytest.raises(SinkRetry, match="NoStream"):
        await sink.deliver(batch(0, 2), None)
    await sink.close()


async def test_a_server_that_takes_connections_and_says_nothing() -> None:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    sink = NatsSink(settings(port, timeout_s=0.3), "casa")
    with pytest.raises(SinkRetry):
        await sink.deliver(batch(0, 2), None)
    await sink.close()
    silent.close()
    await asyncio.sleep(0.05)  # for the server's side to see it


@pytest.mark.parametrize(
    "words", [b"HTTP/1.1 200 OK\r\n\r\n", b"INFO {\r\n", b"INFO 7\r\n", b"\xff" * 100, b""]
)
async def test_something_else_listens_there(words: bytes) -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(talk, "127.0.0.1", 0)
    sink = NatsSink(settings(other.sockets[0].getsockname()[1], timeout_s=0.5), "casa")
    with pytest.raises(SinkRetry):
        await sink.deliver(batch(0, 2), None)
    await sink.close()
    other.close()


async def found(port: int, **more: object) -> Finding:
    return await check_nats("sink city", settings(port, **more))


async def test_check(server: NatsServer) -> None:
    assert (await found(server.port)).verdict is Verdict.OK
    missing = await found(server.port, stream=None)
    assert missing.verdict is Verdict.BAD
    assert "no stream takes derb.>" in missing.detail
    async with server.stream() as stream:
        await stream.add_stream(StreamConfig(name="CITY", subjects=["derb.>"]))
    assert (await found(server.port, stream=None)).detail.endswith("stream CITY")
    away = await found(free_port(), timeout_s=0.5)
    assert away.verdict is Verdict.WARN


# The leaf node that is shipped


async def test_a_gateway_with_a_leaf_node_of_its_own_goes_on_without_the_city(tmp_path: Path) -> None:
    hub_port, leaf_port = free_port(), free_port()
    hub_conf = (
        f"listen: 127.0.0.1:{hub_port}\nleafnodes {{ listen: 127.0.0.1:{leaf_port} }}\n"
        f"jetstream {{ domain: hub, store_dir: '{tmp_path}/hub/js' }}\n"
    )
    hub = NatsServer(tmp_path / "hub", hub_conf, hub_port)
    shipped = (ROOT / "gateway" / "deploy" / "nats-leaf.conf").read_text(encoding="utf-8")
    port = free_port()
    for ours, theirs in (
        ("127.0.0.1:4222", f"127.0.0.1:{port}"),
        ("/var/lib/derb/nats", f"{tmp_path}/leaf"),
        ('"tls://nats.city.example:7422"', f'"nats://127.0.0.1:{leaf_port}"'),
        ('      credentials: "/etc/derb/city.creds"\n', ""),
    ):
        assert ours in shipped
        shipped = shipped.replace(ours, theirs)
    leaf = NatsServer(tmp_path / "leaf", shipped, port)
    leaf.start()
    sink = NatsSink(settings(port), "casa")
    try:
        await sink.deliver(batch(0, 100), None)
        hub.start()
        async with hub.stream() as stream:
            source = {"name": "DERB", "external": {"api": "$JS.gateway.API", "deliver": ""}}
            await _source(stream, source)
            await _until_there(stream, 100)
        await sink.deliver(batch(100, 50), None)
        async with hub.stream() as stream:
            await _until_there(stream, 150)
    finally:
        await sink.close()
        leaf.stop()
        hub.stop()


async def _source(stream: JetStreamContext, source: dict[str, object]) -> None:
    request = json.dumps(
        {"name": "CITY", "sources": [source], "storage": "file", "retention": "limits"}
    ).encode()
    answer = await stream._nc.request("$JS.API.STREAM.CREATE.CITY", request, timeout=5)
    assert "error" not in json.loads(answer.data), answer.data


async def _until_there(stream: JetStreamContext, count: int) -> None:
    async def there() -> bool:
        return (await stream.stream_info("CITY")).state.messages >= count

    async with asyncio.timeout(20):
        while not await there():  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.05)
