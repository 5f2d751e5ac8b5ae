"""Which topics a gateway hears, and that a change of its nodes changes no more than it must."""

from derb_gateway.street_topics import EVERY_NODE, StreetTopics


class Link:
    """Remembers what it was asked for."""

    def __init__(self) -> None:
        self.heard: set[str] = set()
        self.packets: list[int] = []

    async def subscribe(self, *topics: str) -> None:
        assert not self.heard & set(topics)
        self.heard |= set(topics)
        self.packets.append(len(topics))

    async def unsubscribe(self, *topics: str) -> None:
        self.heard -= set(topics)
        self.packets.append(len(topics))


async def test_every_node_is_one_subscription_made_once() -> None:
    link = Link()
    topics = StreetTopics(link)
    for _ in range(2):
        await topics.hear(EVERY_NODE)
    assert (link.heard, link.packets) == ({"d/+/u"}, [1])


async def test_registered_nodes_come_and_go_many_in_a_packet() -> None:
    link = Link()
    topics = StreetTopics(link)
    keys = {f"{number:012x}": bytes(32) for number in range(250)}
    await topics.hear(keys.keys())
    assert link.heard == {f"d/{node}/u" for node in keys}
    gone, (new,) = [keys.popitem()[0] for _ in range(3)], ["ff" * 6]
    keys[new] = bytes(32)
    await topics.hear(keys.keys())
    assert link.heard == {f"d/{node}/u" for node in keys}
    assert not {f"d/{node}/u" for node in gone} & link.heard
    assert link.packets == [100, 100, 50, 1, 1, 3], "the fourth: nobody is heard for having been heard before"
