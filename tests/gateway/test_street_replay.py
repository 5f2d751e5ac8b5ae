"""What was refused at the street's door is taken once it can be, with its right identity and an honest time."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from derb_gateway.cli import app
from derb_gateway.intake import Intake
from derb_gateway.progress import Progress
from derb_gateway.registry import Registry, load_registry
from derb_gateway.side_door import SideDoor
from derb_gateway.store import Store
from derb_gateway.street_quarantine import StreetQuarantine, Which
from derb_gateway.street_replay import StreetReplay
from derb_gateway.times import quality
from derb_gateway.writer import Writer
from gateway.kit import KEY, NODE, NOW_MS, OTHER, OTHER_KEY, arrival, frame
from typer.testing import CliRunner

REGISTRY = f'[[node]]\nid = "{NODE}"\nkey = "{KEY.hex()}"\n'


class Street:
    """A gateway that had wrong keys when these came: two frames of a node, one of another, and one with a wrong tag."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "gateway.toml"
        self.config.write_text('site = "casa"\nregistry = "registry.toml"\n[store]\npath = "derb.sqlite3"\n')
        (folder / "registry.toml").write_text("")
        self.store = Store(folder / "derb.sqlite3")
        self.intake = Intake(Registry(dict.fromkeys((NODE, OTHER), bytes(32))))
        self.writer = Writer(self.store, self.intake.forget)
        self.replay = StreetReplay(SideDoor(self.writer, self.intake, Progress(self.store.last_id())))

    async def fill(self) -> None:
        come = [
            arrival(frame(1, 2, age_s=600)),
            arrival(frame(3), at_ms=NOW_MS + 1000),
            arrival(frame(1, node=OTHER, key=OTHER_KEY), node=OTHER),
            arrival(frame(4, key=OTHER_KEY)),
            arrival(b"x" * 600, topic=f"d/{NODE}/u"),
        ]
        await self.writer.do(lambda store: self.intake.take(store, come))

    def knows_the_node(self) -> None:
        path = self.config.parent / "registry.toml"
        path.write_text(REGISTRY)
        self.intake.registry = load_registry(path)

    def run(self, *arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["quarantine", *arguments, "--config", str(self.config)])
        return result.exit_code, result.output

    def listed(self, *arguments: str) -> list[dict[str, object]]:
        code, out = self.run("list", *arguments)
        assert code == 0, out
        return [json.loads(line) for line in out.splitlines()]

    def readings(self) -> list[tuple[object, ...]]:
        columns = "node, boot, seq, observed_ms, error_ms, synchronised"
        return self.store.db.execute(f"SELECT {columns} FROM reading ORDER BY id").fetchall()

    def close(self) -> None:
        self.writer.close()
        self.store.close()


@pytest_asyncio.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    street = Street(tmp_path)
    await street.fill()
    yield street
    street.close()


async def test_a_node_that_is_known_now_has_its_messages_taken(street: Street) -> None:
    street.knows_the_node()
    assert street.run("replay", "--node", NODE) == (0, "4 will be tried again\n")
    assert [each["replay"] for each in street.listed("--node", NODE)] == [True] * 4
    assert await street.replay.replay() == 4
    assert [row[:3] for row in street.readings()] == [(NODE, 1, 1), (NODE, 1, 2), (NODE, 1, 3)]
    assert [row[3] for row in street.readings()] == [NOW_MS - 610_000, NOW_MS - 600_000, NOW_MS + 1000]
    assert {(quality(row[4]), row[5]) for row in street.readings()} == {("uncertain", 0)}  # type: ignore[arg-type]
    left = street.listed()
    assert [(each["reason"], each["times"], each["replay"]) for each in left] == [
        ("bad_tag", 1, False),
        ("bad_tag", 1, False),
        ("too_long", 1, False),
    ]
    assert street.store.counters()["replayed"] == 2


async def test_nothing_is_taken_twice(street: Street) -> None:
    street.knows_the_node()
    await street.writer.do(lambda store: street.intake.take(store, [arrival(frame(1, 2))]))
    street.run("replay", "--street")
    street.run("replay", "--street")
    await street.replay.replay()
    assert sorted(row[2] for row in street.readings()) == [1, 2, 3]  # type: ignore[type-var]
    assert await street.replay.replay() == 0
    await street.writer.do(lambda store: street.intake.take(store, [arrival(frame(3))]))
    assert len(street.readings()) == 3


async def test_a_surer_time_replaces_the_replayed_one(street: Street) -> None:
    street.knows_the_node()
    street.run("replay", "--all")
    await street.replay.replay()
    again = arrival(frame(1, 2, age_s=900), at_ms=NOW_MS + 300_000)
    await street.writer.do(lambda store: street.intake.take(store, [again]))
    qualities = {row[2]: quality(row[4]) for row in street.readings()}  # type: ignore[arg-type]
    assert qualities == {1: "bounded", 2: "bounded", 3: "uncertain"}


async def test_what_is_still_unknown_stays_as_it_is(street: Street) -> None:
    before = street.listed()
    street.run("replay", "--all")
    assert await street.replay.replay() == 5
    assert street.listed() == before
    assert street.readings() == []


async def test_show_says_what_a_message_would_be_now(street: Street) -> None:
    (first, *_) = street.listed("--node", NODE)
    assert json.loads(street.run("show", str(first["id"]))[1])["now"].startswith("unknown_node")
    street.knows_the_node()
    whole = json.loads(street.run("show", str(first["id"]))[1])
    assert [reading["seq"] for reading in whole["now"]["readings"]] == [2, 1]
    assert whole["raw"] == frame(1, 2, age_s=600).hex()
    long = next(each for each in street.listed() if each["reason"] == "too_long")
    assert json.loads(street.run("show", str(long["id"]))[1])["cut"] is True


async def test_they_are_dropped_by_id_and_by_reason(street: Street) -> None:
    first = street.listed()[0]
    assert street.run("drop", str(first["id"])) == (0, "1 dropped\n")
    assert street.run("drop", "--reason", "too_long") == (0, "1 dropped\n")
    assert street.run("drop", "--node", OTHER) == (0, "1 dropped\n")
    assert len(street.listed()) == 2


async def test_a_wish_for_what_is_gone_is_forgotten(street: Street) -> None:
    street.run("replay", "--street")
    street.run("drop", "--street")
    assert await street.replay.replay() == 0
    assert street.store.db.execute("SELECT count(*) FROM replay").fetchone() == (0,)


@pytest.mark.parametrize(
    "arguments",
    [[], ["--street", "--all"], ["--sink", "a", "--street"], ["1", "--all"], ["x7"], ["--node", "x"]],
)
async def test_misuse_is_told(street: Street, arguments: list[str]) -> None:
    assert street.run("replay", *arguments)[0] == 2


def test_a_store_without_the_table_or_none_at_all_can_be_looked_at(tmp_path: Path) -> None:
    book = StreetQuarantine(tmp_path / "none.sqlite3")
    assert (book.listed(Which()), book.drop(Which())) == ([], 0)
    store = Store(tmp_path / "derb.sqlite3")
    store.db.execute("DROP TABLE replay")
    assert StreetQuarantine(store.path).listed(Which()) == []
    store.close()
