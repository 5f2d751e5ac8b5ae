"""Forwarder and sink together at upstreams that fail in every way at random: nothing lost, nothing doubled in effect."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from derb_gateway.clock import iso_utc
from derb_gateway.progress import Progress
from derb_gateway.sink_settings import HttpSinkSettings, NgsiLdSinkSettings
from derb_gateway.sinks.base import Sink
from derb_gateway.sinks.forwarder import Forwarder
from derb_gateway.sinks.http_sink import HttpSink
from derb_gateway.sinks.ngsi_ld_sink import NgsiLdSink
from derb_gateway.sinks.refused import RefusedBook, refused_path
from derb_gateway.store import NewReading, Store
from derb_gateway.writer import Writer
from gateway.fake_upstream import Answer, Asked, FakeUpstream, fake_upstream, http, http_json
from gateway.kit import NODE, NOW_MS, eventually, free_port, registry

RUNS = 30
COUNT = 120


class City:
    """An HTTP upstream that keeps what it takes, and misbehaves by chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.bad_part = 0.6
        self.poison: set[int] = set()
        self.held: list[str] = []
        self.seen: dict[str, Answer] = {}

    def __call__(self, asked: Asked) -> Answer:
        key = asked.headers["idempotency-key"]
        if key in self.seen:  # an answer that was lost is given again
            return self.seen[key]
        if self.chance.random() < self.bad_part:
            return self.misbehave(asked, key)
        return self.take(asked, key)

    def take(self, asked: Asked, key: str) -> Answer:
        keys = asked.keys()
        if any(int(name.rpartition(":")[2]) in self.poison for name in keys):
            return http(422, b"one of them is wrong")
        self.held += [name for name in keys if name not in self.held]
        self.seen[key] = http(204)
        return http(204)

    def misbehave(self, asked: Asked, key: str) -> Answer:
        kind = self.chance.choice(["429", "503", "500", "cut", "lost", "nothing", "noise", "partly", "slow"])
        if kind == "lost":  # it takes them, and nobody hears of it
            self.take(asked, key)
            return b"HTTP/1.1 204 No"
        if kind == "partly":
            return self.part(asked)
        return {
            "429": http(429, b"", "Retry-After: 0"),
            "503": http(503),
            "500": http(500, b"<html>oops"),
            "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal",
            "nothing": b"",
            "noise": b"\x00\xffSSH-2.0\r\n\r\n",
            "slow": None,
        }[kind]

    def part(self, asked: Asked) -> Answer:
        keys = asked.keys()
        if any(int(name.rpartition(":")[2]) in self.poison for name in keys):
            return http(400)
        later = {name for name in keys if self.chance.random() < 0.3}
        self.held += [name for name in keys if name not in self.held and name not in later]
        return http_json(207, {"rejected": [{"key": name, "why": "busy", "retry": True} for name in later]})


class Street:
    """A store with readings, and forwarders over it."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        self.writer = Writer(self.store, lambda: None)
        self.progress = Progress(self.store.last_id())
        self.made = 0
        self.tasks: list[asyncio.Task[None]] = []

    async def make(self, count: int) -> None:
        body = '{"state":"free","confidence":95,"previous_state_s":60}'
        rows = [
            NewReading(NODE, 1, seq, 1, body, NOW_MS + 1000 * seq, 0, False, NOW_MS, True)
            for seq in range(self.made, self.made + count)
        ]
        self.made += count
        self.progress.reached(await self.writer.do(lambda store: (store.insert(rows), store.last_id())[1]))

    def start(
        self, name: str, sink: Sink, settings: HttpSinkSettings | NgsiLdSinkSettings
    ) -> asyncio.Task[None]:
        forwarder = Forwarder(
            name,
            sink,
            settings,
            (0.001, 0.01),
            path=self.store.path,
            writer=self.writer,
            progress=self.progress,
            registry=registry,
        )
        forwarder._pace.overloaded = lambda _: None  # type: ignore[method-assign] - its own tests wait for it
        self.tasks.append(asyncio.create_task(forwarder.run()))
        return self.tasks[-1]

    def http(self, port: int, name: str = "city", **more: object) -> asyncio.Task[None]:
        values = {"type": "http", "name": name, "url": f"http://127.0.0.1:{port}", "timeout_s": 0.1, **more}
        settings = HttpSinkSettings.model_validate({"batch_size": 20, "batch_age_s": 0.01, **values})
        return self.start(name, HttpSink(settings, "casa"), settings)

    def behind(self, name: str = "city") -> int:
        return self.store.last_id() - self.store.cursor(name)[0]

    async def kill(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def end(self) -> None:
        for task in self.tasks:
            await self.kill(task)
        self.writer.close()
        self.store.close()


@pytest_asyncio.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    street = Street(tmp_path / "derb.sqlite3")
    yield street
    await street.end()


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with fake_upstream() as running:
        yield running


@pytest.mark.parametrize("seed", range(RUNS))
async def test_each_reading_once_at_an_upstream_that_mostly_fails_and_a_gateway_that_is_killed(
    street: Street, upstream: FakeUpstream, seed: int
) -> None:
    city = City(seed)
    city.poison = set(city.chance.sample(range(COUNT), 3))
    upstream.otherwise = city
    lanes = {"live_after": 30} if seed % 2 else {"live_after": 0}
    await street.make(COUNT // 2)
    task = street.http(upstream.port, **lanes)
    for _ in range(3):
        await asyncio.sleep(city.chance.random() * 0.1)
        await street.kill(task)
        await street.make(COUNT // 6)
        task = street.http(upstream.port, **lanes)
    city.bad_part = 0.3
    refused = RefusedBook(refused_path(street.store.path))
    await eventually(lambda: len(city.held) + len(refused.listed()) >= COUNT and street.behind() == 0, 60)
    held = [int(name.rpartition(":")[2]) for name in city.held]
    aside = {row.reading.seq for row in refused.listed()}
    assert sorted(held) == sorted(set(range(COUNT)) - aside)
    assert city.poison <= aside, "what is refused is kept"
    assert len(aside) <= len(city.poison) + 5, "and little else"


async def test_a_dead_sink_stops_neither_the_other_nor_the_intake(
    street: Street, upstream: FakeUpstream
) -> None:
    city = City(0)
    city.bad_part = 0.0
    upstream.otherwise = city
    async with fake_upstream() as silent:
        silent.otherwise = lambda _: None
        street.http(silent.port, "silent")
        street.http(free_port(), "dead")
        street.http(upstream.port, "city")
        await street.make(COUNT)
        await eventually(lambda: len(city.held) == COUNT)
        await street.make(COUNT)
        await eventually(lambda: len(city.held) == 2 * COUNT)
    assert street.store.cursor("dead") == street.store.cursor("silent") == (0, None)
    await street.writer.do(lambda store: store.prune(0, ["city", "dead", "silent"]))
    assert street.store.db.execute("SELECT count(*) FROM reading").fetchone() == (2 * COUNT,)


async def test_one_poisoned_reading_in_a_thousand_costs_itself_and_a_few_requests(
    street: Street, upstream: FakeUpstream
) -> None:
    city = City(0)
    city.bad_part, city.poison = 0.0, {437}
    upstream.otherwise = city
    street.http(upstream.port, batch_size=1000, live_after=0)
    await street.make(1000)
    await eventually(lambda: len(city.held) == 999 and street.behind() == 0)
    (kept,) = RefusedBook(refused_path(street.store.path)).listed()
    assert (kept.reading.seq, kept.why) == (437, "HTTP 422: one of them is wrong")
    assert len(upstream.asked) <= 25


def broker(chance: random.Random, shown: dict[str, str]) -> Callable[[Asked], Answer]:
    """A context broker that believes what comes last, and fails by chance before or after it did."""

    def answer(asked: Asked) -> Answer:
        fate = chance.random()
        if fate < 0.2:
            return http(503)
        for entity in json.loads(asked.body):
            if "status" in entity:
                at = entity["status"]["observedAt"]
                assert at >= shown.get(entity["id"], ""), "the past over the present"
                shown[entity["id"]] = at
        return b"HTTP/1.1 2" if fate < 0.4 else http(204)

    return answer


@pytest.mark.parametrize("seed", range(10))
async def test_a_broker_never_goes_back_in_time(
    street: Street, upstream: FakeUpstream, tmp_path: Path, seed: int
) -> None:
    chance, shown = random.Random(seed), dict[str, str]()
    upstream.otherwise = broker(chance, shown)
    values = {"type": "ngsi-ld", "name": "ld", "url": f"http://127.0.0.1:{upstream.port}", "timeout_s": 0.5}
    more = {"batch_size": 5, "batch_age_s": 0.01, "live_after": 10, "backfill_per_s": 500}
    settings = NgsiLdSinkSettings.model_validate({**values, **more})
    await street.make(60)
    for _ in range(4):
        sink = NgsiLdSink(settings, "casa", registry, tmp_path / "picture")
        task = street.start("ld", sink, settings)
        await street.make(20)
        await asyncio.sleep(0.02 + chance.random() * 0.1)
        await street.kill(task)
    street.start("ld", NgsiLdSink(settings, "casa", registry, tmp_path / "picture"), settings)
    await eventually(lambda: street.behind("ld") == 0)
    (newest,) = shown.values()
    assert newest == iso_utc(NOW_MS + 1000 * (street.made - 1))
