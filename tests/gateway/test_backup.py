"""A backup is one state of a store that is being written to; what is put back loses nothing of it and doubles nothing."""

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest
from derb_gateway import backup as backup_module
from derb_gateway.alarms import standing
from derb_gateway.backup import back_up
from derb_gateway.cli import app
from derb_gateway.errors import BackupError
from derb_gateway.orders import OrderBook, orders_path
from derb_gateway.restore import restore
from derb_gateway.store import Store
from gateway.kit import KEY, NODE, Disk, arrival, frame
from typer.testing import CliRunner

REGISTRY = f'[[node]]\nid = "{NODE}"\nkey = "{KEY.hex()}"\n'


class Site:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.store = folder / "derb.sqlite3"
        self.registry = folder / "registry.toml"
        self.config = folder / "gateway.toml"
        self.config.write_text('site = "casa"\nregistry = "registry.toml"\n[store]\npath = "derb.sqlite3"\n')

    def run(self, *arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*arguments, "--config", str(self.config)])
        return result.exit_code, result.output


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site(tmp_path / "site")
    site.registry.write_text(REGISTRY)
    return site


@pytest.fixture
def saved(site: Site, tmp_path: Path) -> Path:
    """A backup of ten readings, of which the city has six, and an order."""
    disk = Disk(site.store)
    disk.take(*(arrival(frame(seq)) for seq in range(10)))
    first = disk.store.last_id() - 9
    disk.store.save_cursor("city", first + 5, "place")
    disk.store.close()
    book = OrderBook(orders_path(site.store))
    book.set_config(NODE, {"wake_s": 600}, 1)
    book.close()
    back_up(site.store, site.registry, "casa", tmp_path / "backup")
    return tmp_path / "backup"


def test_everything_is_put_back_where_nothing_is(saved: Path, tmp_path: Path) -> None:
    new = Site(tmp_path / "new")
    done = restore(saved, new.store, new.registry)
    assert (done.aside, done.kept) == (None, [])
    assert new.registry.read_text() == REGISTRY
    book = OrderBook(orders_path(new.store))
    wanted = book.desired(NODE)
    book.close()
    assert wanted is not None
    assert wanted.settings == {"wake_s": 600}
    disk = Disk(new.store)
    assert disk.sequences() == list(range(10))
    assert disk.store.cursor("city")[1] == "place"
    assert [alarm.name for alarm in standing(disk.store.db)] == ["store_restored"]
    disk.store.close()
    for path in (new.store, new.registry):
        assert path.stat().st_mode & 0o077 == 0, "keys are in it"


def test_what_nodes_send_again_after_a_restore_is_known_and_what_is_new_is_not(
    saved: Path, tmp_path: Path
) -> None:
    new = Site(tmp_path / "new")
    restore(saved, new.store, new.registry)
    disk = Disk(new.store)
    disk.take(arrival(frame(9)), arrival(frame(12)))
    assert disk.sequences() == [*range(10), 12]
    assert disk.store.counters()["readings_known"] == 1
    disk.store.close()


def test_no_id_that_was_given_out_after_the_backup_comes_again(
    site: Site, saved: Path, tmp_path: Path
) -> None:
    """Sinks know batches by ids too."""
    disk = Disk(site.store)
    disk.take(*(arrival(frame(seq)) for seq in range(10, 30)))
    given = disk.store.last_id()
    disk.store.close()
    restore(saved, site.store, site.registry, force=True)
    disk = Disk(site.store)
    disk.take(arrival(frame(30)))
    assert disk.one("SELECT max(id) FROM reading") > given  # type: ignore[operator]
    disk.store.close()


def test_a_backup_is_one_state_of_a_store_that_is_written_to_meanwhile(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_module, "_PAGES_A_STEP", 1)
    disk = Disk(site.store)
    disk.take(*(arrival(frame(seq)) for seq in range(1000)))
    steps: list[int] = []

    def goes_on(done: int, _: int) -> None:
        steps.append(done)
        disk.take(arrival(frame(1000 + len(steps))))

    made = back_up(site.store, site.registry, "casa", tmp_path / "backup", goes_on)
    assert len(steps) > 10
    assert made.readings == 1000
    assert len(disk.sequences()) == 1000 + len(steps), "and nobody had to wait"
    disk.store.close()


def test_an_older_backup_is_replaced_and_nothing_else(site: Site, saved: Path, tmp_path: Path) -> None:
    assert back_up(site.store, site.registry, "casa", saved).readings == 10
    precious = tmp_path / "precious"
    precious.write_text("not a backup")
    with pytest.raises(BackupError, match="choose another name"):
        back_up(site.store, site.registry, "casa", precious)
    with pytest.raises(BackupError, match="choose another name"):
        back_up(site.store, site.registry, "casa", site.store)
    assert precious.read_text() == "not a backup"


def test_a_backup_that_does_not_come_about_leaves_the_last_one(
    site: Site, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(backup_module, "_add_parts", full)
    with pytest.raises(BackupError, match="disk is full"):
        back_up(site.store, site.registry, "casa", saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.glob("*.part")) == []


def test_a_store_that_holds_readings_is_put_aside_only_with_force(site: Site, saved: Path) -> None:
    disk = Disk(site.store)
    disk.take(arrival(frame(20)))
    disk.store.close()
    code, told = site.run("restore", str(saved))
    assert (code, "11 readings of 1 nodes" in told, "--force" in told) == (1, True, True)
    code, told = site.run("restore", str(saved), "--force")
    assert code == 0, told
    (aside,) = site.store.parent.glob("derb.sqlite3.before-restore-*Z")
    assert f"the old store is {aside}" in told
    assert f"left as it is: {site.registry}" in told
    for path, count in ((aside, 11), (site.store, 10)):
        store = Store(path)
        assert store.db.execute("SELECT count(*) FROM reading").fetchone() == (count,)
        store.close()


def test_the_log_of_the_old_store_never_meets_the_new_one(site: Site, saved: Path) -> None:
    for suffix in ("-wal", "-shm"):
        site.store.with_name(site.store.name + suffix).write_bytes(b"of the old one")
    done = restore(saved, site.store, site.registry, force=True)
    assert done.aside is not None
    assert not site.store.with_name(site.store.name + "-wal").exists()
    assert done.aside.with_name(done.aside.name + "-wal").read_bytes() == b"of the old one"


def test_a_damaged_store_is_put_aside_with_force(site: Site, saved: Path) -> None:
    site.store.write_bytes(b"no database")
    with pytest.raises(BackupError, match="cannot be read"):
        restore(saved, site.store, site.registry)
    restore(saved, site.store, site.registry, force=True)
    Store(site.store).close()


def test_a_running_gateway_is_not_restored_over(site: Site, saved: Path) -> None:
    running = Store(site.store)
    with pytest.raises(BackupError, match="stop it first"):
        restore(saved, site.store, site.registry, force=True)
    running.close()


@pytest.mark.parametrize("cut", [0, 1000, -1])
def test_a_damaged_backup_is_refused_and_the_store_stays(site: Site, saved: Path, cut: int) -> None:
    content = bytearray(saved.read_bytes())
    if cut < 0:
        content[4096:12_288] = bytes(8192)
    saved.write_bytes(content if cut < 0 else content[:cut])
    before = site.store.read_bytes()
    with pytest.raises(BackupError):
        restore(saved, site.store, site.registry, force=True)
    assert site.store.read_bytes() == before


def test_a_store_is_no_backup(site: Site, saved: Path, tmp_path: Path) -> None:
    new = Site(tmp_path / "new")
    with pytest.raises(BackupError, match="is no backup"):
        restore(site.store, new.store, new.registry)
    assert not new.store.exists()


def test_a_backup_that_would_write_elsewhere_is_refused(saved: Path, tmp_path: Path) -> None:
    db = sqlite3.connect(saved)
    db.execute("UPDATE backup_part SET name = '/../../evil.sqlite3' WHERE name != 'registry'")
    db.commit()
    db.close()
    new = Site(tmp_path / "new")
    with pytest.raises(BackupError, match="no gateway writes"):
        restore(saved, new.store, new.registry)
    assert not (tmp_path / "evil.sqlite3").exists()


def test_the_command_says_what_is_in_the_backup_and_what_is_not(site: Site, saved: Path) -> None:
    code, told = site.run("backup", str(saved.parent / "second"))
    assert code == 0
    assert "10 readings, and orders, registry" in told
    assert "not in it: gateway.toml" in told
    assert site.run("backup", str(saved.parent / "no folder" / "x"))[0] == 1


async def test_a_gateways_writer_goes_on_while_a_backup_is_made(site: Site, tmp_path: Path) -> None:
    disk = Disk(site.store)
    disk.take(*(arrival(frame(seq)) for seq in range(3000)))
    over = threading.Event()
    made = asyncio.create_task(asyncio.to_thread(back_up, site.store, site.registry, "casa", tmp_path / "b"))
    made.add_done_callback(lambda _: over.set())
    written = 0
    while not over.is_set():
        disk.take(arrival(frame(3000 + written)))
        written += 1
        await asyncio.sleep(0)
    assert 3000 <= (await made).readings <= 3000 + written
    disk.store.close()
