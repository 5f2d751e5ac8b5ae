"""The registry from the command line: changes keep what people wrote, and nothing wrong is ever written."""

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from derb_gateway.cli import app
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.registry import Registry, load_registry
from derb_gateway.store import Store
from gateway.kit import KEY, NODE, NOW_MS, OTHER, Disk, arrival, frame, wait_until
from gateway.test_registry import NODES, PLACES
from typer.testing import CliRunner

runner = CliRunner()
NEW, NEW_KEY = "7cdfa1000002", "ab" * 32
COMMENTED = f"# our street\n{NODES}# moved in May\n{PLACES}# the end\n"


class Site:
    """A folder with a gateway that does not run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "gateway.toml"
        self.config.write_text('site = "test"\nregistry = "registry.toml"\n')
        self.path = folder / "registry.toml"
        self.path.write_text(COMMENTED)

    def run(self, *words: str, typed: str | None = None) -> Any:
        return runner.invoke(app, ["registry", *words, "--config", str(self.config)], input=typed)

    def good(self, *words: str, typed: str | None = None) -> str:
        result = self.run(*words, typed=typed)
        assert result.exit_code == 0, result.output
        return result.stdout

    def refused(self, *words: str, typed: str | None = None) -> str:
        before = self.path.read_bytes()
        result = self.run(*words, typed=typed)
        assert (result.exit_code, result.stdout) == (2, "")
        assert self.path.read_bytes() == before
        return result.stderr

    def registry(self) -> Registry:
        return load_registry(self.path)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_node_is_added_and_every_other_byte_stays(site: Site) -> None:
    site.path.chmod(0o644)
    site.good("add", NEW.upper(), "--key-file", "-", "--mount", "lamp post 14", typed=NEW_KEY + "\n")
    text = site.path.read_text()
    assert text.startswith(COMMENTED)
    assert site.registry().key(NEW) == bytes.fromhex(NEW_KEY)
    assert stat.S_IMODE(site.path.stat().st_mode) == 0o600
    assert [path.name for path in site.folder.iterdir() if "new" in path.name] == []


def test_a_node_comes_with_a_new_bay(site: Site) -> None:
    place = ("--bay", "b2", "--zone", "maarif", "--lat", "33.5", "--lon", "-7.6")
    site.good("add", NEW, "--key-file", "-", *place, typed=NEW_KEY)
    assert site.registry().bays[NEW].lat == 33.5


def test_what_would_be_wrong_is_refused_with_its_line_and_its_fix(site: Site) -> None:
    told = site.refused("add", NEW, "--key-file", "-", "--bay", "b1", typed=NEW_KEY)
    assert "not changed" in told
    assert "registry.toml:" in told
    assert "a node for bay 'b1' is there twice" in told
    assert "at one" not in site.refused("add", "xyz", "--key-file", "-", typed=NEW_KEY)
    told = site.refused("add", NEW, "--key-file", "-", typed="short")
    assert "64 hex digits" in told
    assert "short" not in told
    assert "same key" in site.refused("add", NEW, "--key-file", "-", typed=KEY.hex())
    assert "cannot be read" in site.refused("add", NEW, "--key-file", str(site.folder / "none"))


def test_a_registry_that_is_wrong_already_is_not_touched(site: Site) -> None:
    site.path.write_text(COMMENTED + "[[nod]]\n")
    assert "nod: unknown key" in site.refused("close", "b1")


def test_closed_and_opened_again(site: Site) -> None:
    site.good("close", "b1", "--from", "2020-12-01T08:00", "--why", "works")
    (bay,) = [place for place in json.loads(site.good("list", "--json"))["places"] if place["id"] == "b1"]
    assert (bay["closed"], bay["closed_until"], bay["why"]) == (True, None, "works")
    assert "closed: works" in site.good("list")
    site.good("open", "b1")
    assert json.loads(site.good("show", "b1"))["closed"] is False
    assert site.path.read_text().count("[[closed]]") == 1  # that it was closed is not forgotten
    assert "nothing closes it now" in site.refused("open", "b1")


def test_a_weekly_closure_is_ended_only_when_it_is_meant(site: Site) -> None:
    site.good("close", "maarif", "--weekly", "tue,fri", "--from", "06:00", "--until", "14:00")
    assert "--weekly" in site.refused("open", "maarif")
    site.good("open", "maarif", "--weekly")
    assert site.path.read_text().rstrip() == COMMENTED.rstrip()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("close", "b11"), 'did you mean "b1"?'),
        (("close", "b1", "--until", "tomorrow"), "--until 'tomorrow' is no time: write 2026-12-01T08:00:00"),
        (("close", "b1", "--until", "2001-01-01T08:00"), "until is not after from"),
        (("close", "b1", "--weekly", "dimanche", "--from", "06:00", "--until", "07:00"), "'sun'"),
        (("replace", NODE, NEW), f"node {NEW} is not in the registry: a new one needs --key-file"),
        (("replace", "0000000000aa", OTHER), "is not in the registry"),
        (("replace", NODE, OTHER), f"node {OTHER} watches c1 already"),
        (("replace", NODE, NODE), "cannot replace itself"),
        (("show", "b11"), 'did you mean "b1"?'),
        (("import", "nowhere.csv"), "nowhere.csv: cannot be read"),
    ],
)
def test_misuse(site: Site, words: tuple[str, ...], told: str) -> None:
    assert told in site.refused(*words)


def test_a_new_node_takes_over_and_the_old_one_may_finish(site: Site) -> None:
    book = OrderBook(orders_path(site.folder / "derb.sqlite3"))
    book.set_config(NODE, {"wake_s": 600}, NOW_MS)
    site.good("replace", NODE, NEW, "--key-file", "-", "--grace", "2d", typed=NEW_KEY)
    registry = site.registry()
    old, new = registry.terms[NODE], registry.terms[NEW]
    assert old.until_ms == new.since_ms
    assert old.key_until_ms - old.until_ms == 2 * 86_400_000
    assert registry.bay_of(NODE, old.until_ms - 1) is registry.bay_of(NEW, new.since_ms) is registry.bays[NEW]
    assert registry.bay_of(NODE, old.until_ms) is None
    assert registry.bay_of(NEW, new.since_ms - 1) is None
    assert registry.key(NODE) == KEY
    late = load_registry(site.path, old.key_until_ms)
    assert late.key(NODE) is None
    assert late.is_revoked(NODE)
    assert late.bay_of(NODE, old.until_ms - 1) is not None  # what it said is forwarded with its place still
    wanted = book.desired(NEW)
    assert wanted is not None
    assert wanted.settings == {"wake_s": 600}
    book.close()
    assert f"is replaced by {NEW} already" in site.refused("replace", NODE, "7cdfa1000003")


def test_no_command_prints_a_key(site: Site) -> None:
    for words in (("list",), ("list", "--json"), ("show", NODE), ("check",), ("export",)):
        assert KEY.hex() not in site.good(*words)
    result = site.run("export", "--with-keys")
    assert (result.exit_code, result.stdout) == (2, "")


def test_csv_there_and_back(site: Site) -> None:
    out = site.folder / "street.csv"
    site.good("export", "--with-keys", "--out", str(out))
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    before = site.registry()
    assert site.good("import", str(out)) == "0 added, 0 changed\n"
    assert site.path.read_text() == COMMENTED
    site.path.write_text("")
    assert site.good("import", str(out)) == "4 added, 0 changed\n"
    assert site.registry().keys == before.keys
    assert site.registry().bays == before.bays
    assert site.registry().containers == before.containers


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "street.csv:1: there is no column kind"),
        ("kind;id;zone\n", "street.csv:1: 'kind;id;zone' is no column"),
        ("kind,zones\n", "street.csv:1: 'zones' is no column; did you mean \"zone\"?"),
        ("kind,id\nbay,b9\n", "street.csv:2: zone: is missing"),
        ("kind,id\nboy,b9\n", "street.csv:2: kind: 'boy' is none: write bay, container or node"),
        ("kind,id,lat\nbay,b1,33°\n", "street.csv:2: lat: '33°' is no number: write it with a point"),
        ("kind,id,lat\nbay,b1,333\n", "street.csv:2: lat: Input should be less than or equal to 90"),
        ("kind,node\nnode,1234\n", "street.csv:2: node: '1234' is not 12 hex digits"),
        (f"kind,node\nnode,{NEW}\n", "street.csv:2: key: is missing: import it with the column key"),
        ("kind,id\nbay,b1,too,many\n", "street.csv:2: 4 fields and 2 columns"),
        ('kind,id\nbay,"b1\n', "street.csv:2: is not CSV"),
    ],
)
def test_a_wrong_csv_changes_nothing(site: Site, text: str, told: str) -> None:
    (site.folder / "street.csv").write_text(text)
    assert told in site.refused("import", str(site.folder / "street.csv"))


def test_a_running_gateway_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(site.folder / "derb.sqlite3")
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: told.append((pid, number)))
    assert (
        "no gateway runs" in site.run("close", "b1").stderr
    )  # a lock that another command holds is no gateway
    assert not told
    store.note_pid()
    assert "was told" in site.run("close", "c1").stderr
    assert told == [(os.getpid(), signal.SIGHUP)]
    store.close()
    assert "no gateway runs" in site.run("close", "maarif").stderr
    assert len(told) == 1


def test_two_editors_do_not_undo_each_other(site: Site) -> None:
    held = os.open(site.folder, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    words = ["registry", "close", "b1", "--config", str(site.config)]
    child = subprocess.Popen([sys.executable, "-m", "derb_gateway", *words], stderr=subprocess.PIPE)
    wait_until(lambda: _waits(child.pid))
    site.path.write_text(COMMENTED + "# meanwhile\n")
    os.close(held)
    child.communicate(timeout=20)
    assert child.returncode == 0
    text = site.path.read_text()
    assert "# meanwhile\n" in text
    assert "[[closed]]" in text


def _waits(pid: int) -> bool:
    """Whether a process waits for a lock."""
    waiting = [line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
    return any(str(pid) in fields for fields in waiting)


def test_a_node_that_waits_is_listed_and_accepted(site: Site) -> None:
    assert "nobody waits" in site.good("waiting")
    assert "does not wait here" in site.refused("accept", NEW, "--key-file", "-", typed=NEW_KEY)
    disk = Disk(site.folder / "derb.sqlite3")
    disk.take(arrival(frame(0, node=NEW, key=bytes.fromhex(NEW_KEY)), node=NEW))
    disk.store.close()
    assert json.loads(site.good("waiting", "--json"))[NEW]["frames"] == 1
    assert NEW in site.good("waiting")
    assert "1 frames" in site.good("accept", NEW, "--key-file", "-", typed=NEW_KEY)
    assert site.registry().key(NEW) == bytes.fromhex(NEW_KEY)
