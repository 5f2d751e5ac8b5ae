"""The faults of the campaign. Each is a coroutine that harms a rig, mends it, and leaves the waiting to the caller."""

import asyncio
import os
import random
import resource
import secrets
import shutil
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.fake_upstream import Answer, Asked
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.e2e.city import City
from tests.e2e.fault_rig import FaultRig
from tests.e2e.harmed import Harmed

YEAR_MS = 365 * 86_400_000
MEGABYTE = 1_000_000
_SHORT_S = (0.1, 0.6)
_FLOOD_S = 120.0
_QUEUED = 20_000  # paho keeps no more than 65,535


class Size:
    """How much of what is counted; a short campaign takes a part."""

    def __init__(self, strangers: int, torrent: int, megabytes: int) -> None:
        self.strangers = strangers
        self.torrent = torrent
        self.megabytes = megabytes


SHORT, WHOLE = Size(2_000, 1_000, 2), Size(100_000, 10_000, 10)
Fault = Callable[[FaultRig, random.Random, Size], Awaitable[None]]


async def gateway_killed(rig: Harmed, chance: random.Random, _: Size) -> None:
    rig.kill_gateway()
    await asyncio.sleep(chance.uniform(0, 0.3))
    rig.start_gateway()


async def broker_killed(rig: Harmed, chance: random.Random, _: Size) -> None:
    rig.broker.stop(kill=True)
    await asyncio.sleep(chance.uniform(*_SHORT_S))
    rig.broker.start()


async def broker_restarted_empty(rig: Harmed, chance: random.Random, _: Size) -> None:
    rig.broker.stop(kill=True)
    _database(rig).unlink(missing_ok=True)
    await asyncio.sleep(chance.uniform(*_SHORT_S))
    rig.broker.start()


async def broker_restarted_with_an_old_database(rig: FaultRig, chance: random.Random, _: Size) -> None:
    old = rig.folder / "old.db"
    rig.kill_gateway()  # so that messages wait in the broker, and are in what it writes
    await asyncio.sleep(chance.uniform(*_SHORT_S))
    rig.broker.stop()
    shutil.copy(_database(rig), old)
    rig.broker.start()
    rig.start_gateway()
    await asyncio.sleep(chance.uniform(1, 2))
    rig.broker.stop(kill=True)
    shutil.copy(old, _database(rig))
    rig.broker.start()


def mood(
    how: Callable[[City, Asked], Answer], for_s: tuple[float, float] = (0.3, 1.2)
) -> Callable[[Harmed, random.Random, Size], Awaitable[None]]:
    """A fault of the upstream that lasts so long."""

    async def city_is(rig: Harmed, chance: random.Random, _: Size) -> None:
        rig.city.mood = how
        try:
            await asyncio.sleep(chance.uniform(*for_s))
        finally:
            rig.city.mood = City.good

    return city_is


@contextmanager
def _nothing_can_be_written(rig: Harmed) -> Iterator[None]:
    """The running gateway's writes fail, as on a disk that has become read-only; each file may have 4096 bytes."""
    assert rig.process is not None
    resource.prlimit(rig.process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        resource.prlimit(
            rig.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        )


async def writes_fail(rig: Harmed, chance: random.Random, _: Size) -> None:
    with _nothing_can_be_written(rig):
        await asyncio.sleep(chance.uniform(0.3, 1.5))


@contextmanager
def _filled(disk: Path) -> Iterator[None]:
    """To the last byte."""
    filler = disk / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            for length in (1 << 20, 4096, 1):
                while _written(file.fileno(), length):
                    pass
        yield
    finally:
        filler.unlink()


async def disk_full(rig: FaultRig, chance: random.Random, size: Size) -> None:
    """A small disk of its own."""
    if not rig.may_mount:
        await writes_fail(rig, chance, size)
        return
    with _filled(rig.disk):
        await asyncio.sleep(chance.uniform(0.3, 1.5))


async def disk_full_at_a_start(rig: FaultRig, chance: random.Random, size: Size) -> None:
    if not rig.may_mount:
        await writes_fail(rig, chance, size)
        return
    rig.kill_gateway()
    with _filled(rig.disk):
        rig.start_gateway()
        await asyncio.sleep(chance.uniform(1, 3))
    assert rig.process is not None
    code = rig.process.poll()
    assert code in (None, 1), "it waits for room, or says so and lets its supervisor start it again"
    if code is not None:
        rig.start_gateway()


def _written(descriptor: int, length: int) -> bool:
    try:
        return os.write(descriptor, bytes(length)) == length
    except OSError:
        return False


async def disk_read_only_at_a_start(rig: FaultRig, chance: random.Random, size: Size) -> None:
    if not rig.may_mount:
        await writes_fail(rig, chance, size)
        return
    rig.kill_gateway()
    await asyncio.to_thread(_remount, rig.disk, "ro")
    try:
        rig.start_gateway()
        assert rig.process is not None
        code = await asyncio.to_thread(rig.process.wait, 20)
        assert code == 1, "it says so and lets its supervisor start it again"
    finally:
        await asyncio.to_thread(_remount, rig.disk, "rw")
    rig.start_gateway()


def _remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)


async def database_damaged(rig: FaultRig, chance: random.Random, _: Size) -> None:
    """Bits flipped in the database or its log, or either cut. Sinks have all by then: what no page holds nobody brings back."""
    rig.fleet.paused = True
    await rig.settled()
    rig.fleet.paused = True
    rig.kill_gateway()
    rig.may_repeat |= rig.fleet.made()
    path = rig.store if chance.random() < 0.5 else rig.store.with_name(rig.store.name + "-wal")
    content = bytearray(path.read_bytes() if path.exists() else b"")
    if content and chance.random() < 0.3:
        del content[chance.randrange(len(content)) :]
    for _ in range(chance.randint(1, 8) if content else 0):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    rig.start_gateway()
    rig.fleet.paused = False


async def clock_steps_years(rig: Harmed, chance: random.Random, _: Size) -> None:
    rig.kill_gateway()
    years = chance.choice([-20, -5, 5, 20])
    rig.start_gateway_at(int(time.time() * 1000) + years * YEAR_MS)
    await asyncio.sleep(chance.uniform(1, 2))
    rig.kill_gateway()
    rig.start_gateway()


async def unknown_nodes(rig: FaultRig, chance: random.Random, size: Size) -> None:
    await _flood(
        rig, [(f"d/{chance.getrandbits(48):012x}/u", chance.randbytes(24)) for _ in range(size.strangers)]
    )


async def megabyte_payloads(rig: FaultRig, chance: random.Random, size: Size) -> None:
    node = chance.choice(rig.fleet.nodes).node
    await _flood(rig, [(f"d/{node}/u", chance.randbytes(MEGABYTE)) for _ in range(size.megabytes)])


async def torrent_of_one_node(rig: FaultRig, chance: random.Random, size: Size) -> None:
    await asyncio.to_thread(rig.fleet.torrent, chance.choice(rig.fleet.nodes), size.torrent)


async def _flood(rig: FaultRig, messages: list[tuple[str, bytes]]) -> None:
    """Publish from a client of its own, and wait until the broker has it all."""
    client = Client(CallbackAPIVersion.VERSION2, f"flood-{secrets.token_hex(4)}")
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", rig.broker.port)
    client.loop_start()
    try:
        for first in range(0, len(messages), _QUEUED):
            for topic, payload in messages[first : first + _QUEUED]:
                told = client.publish(topic, payload, 1)
            await asyncio.to_thread(told.wait_for_publish, _FLOOD_S)
    finally:
        client.disconnect()
        client.loop_stop()


def _database(rig: Harmed) -> Path:
    return rig.broker.settings.directory / "mosquitto.db"


FAULTS: dict[str, Fault] = {
    "gateway killed": gateway_killed,
    "broker killed": broker_killed,
    "broker restarted empty": broker_restarted_empty,
    "broker restarted with an old database": broker_restarted_with_an_old_database,
    "sink dead": mood(City.dead),
    "sink never answers": mood(City.mute),
    "sink takes a half": mood(City.half),
    "sink takes all and says no": mood(City.lying),
    "sink hangs up in its answer": mood(City.cut),
    "writes fail": writes_fail,
    "disk full": disk_full,
    "disk full at a start": disk_full_at_a_start,
    "disk read-only at a start": disk_read_only_at_a_start,
    "database damaged": database_damaged,
    "clock steps years": clock_steps_years,
    "unknown nodes": unknown_nodes,
    "1 MB payloads": megabyte_payloads,
    "torrent of one node": torrent_of_one_node,
}
