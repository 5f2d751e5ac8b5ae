"""The inbox: everything leaves together, and it cannot grow without bound."""

import asyncio
from typing import cast

from derb_gateway.inbox import Delivery, Inbox
from derb_gateway.mqtt_link import Link

LINK = cast("Link", None)


def delivery(mid: int, qos: int = 1) -> Delivery:
    return Delivery(LINK, mid, qos, None)


def mids(deliveries: list[Delivery]) -> list[int]:
    return [each.mid for each in deliveries]


async def test_what_waits_leaves_together_in_order() -> None:
    inbox = Inbox(10)
    for mid in (1, 2, 3):
        inbox.put(delivery(mid))
    assert mids(await inbox.drain(10)) == [1, 2, 3]
    waiting = asyncio.create_task(inbox.drain(10))
    await asyncio.sleep(0)
    assert not waiting.done()
    inbox.put(delivery(4))
    assert mids(await waiting) == [4]


async def test_what_comes_within_a_moment_leaves_together_if_it_shall() -> None:
    inbox = Inbox(10)
    waiting = asyncio.create_task(inbox.drain(10, gather_s=0.02))
    for mid in (1, 2, 3):
        inbox.put(delivery(mid))
        await asyncio.sleep(0)
    assert mids(await waiting) == [1, 2, 3]
    for mid in range(4):
        inbox.put(delivery(mid))
    assert mids(await asyncio.wait_for(inbox.drain(3, gather_s=1000), 5)) == [0, 1, 2], (
        "a full batch waits for nothing"
    )
    inbox.close()
    assert mids(await asyncio.wait_for(inbox.drain(3, gather_s=1000), 5)) == [3], "nor does a stop"


async def test_what_is_forgotten_does_not_end_the_wait() -> None:
    inbox = Inbox(10)
    inbox.put(delivery(1))
    inbox.forget()
    waiting = asyncio.create_task(inbox.drain(10))
    await asyncio.sleep(0)
    assert not waiting.done(), "an empty answer would mean that the inbox is closed"
    inbox.put(delivery(2))
    assert mids(await waiting) == [2]


async def test_a_flood_without_acknowledgement_is_dropped_and_counted() -> None:
    inbox = Inbox(2)
    for mid in range(5):
        inbox.put(delivery(mid, qos=0))
    inbox.put(delivery(99))  # the broker's window bounds these
    assert inbox.overflowed == 3
    assert mids(await inbox.drain(10)) == [0, 1, 99]


async def test_a_new_connection_brings_again_what_was_not_acknowledged() -> None:
    inbox = Inbox(10)
    inbox.put(delivery(1))
    inbox.put(delivery(2, qos=0))
    inbox.forget()
    assert mids(await inbox.drain(10)) == [2]


async def test_a_closed_inbox_gives_what_it_has_and_takes_no_more() -> None:
    inbox = Inbox(10)
    inbox.put(delivery(1))
    inbox.close()
    inbox.put(delivery(2))
    assert mids(await inbox.drain(10)) == [1]
    assert await inbox.drain(10) == []


async def test_a_batch_has_a_size() -> None:
    inbox = Inbox(10)
    for mid in range(5):
        inbox.put(delivery(mid))
    assert [mids(await inbox.drain(2)) for _ in range(3)] == [[0, 1], [2, 3], [4]]
