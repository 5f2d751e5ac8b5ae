"""SIGHUP takes a new configuration under load without losing or doubling a reading; a bad one changes nothing."""

import json
import signal
import time
from pathlib import Path

import pytest
from gateway.daemon import ARCHIVE, Daemon, Nodes
from gateway.kit import Mosquitto, wait_until

LOUD = ARCHIVE.replace("rotate_bytes = 20000", "rotate_bytes = 5000")
SECOND = '[[sink]]\ntype = "file"\nname = "second"\ndirectory = "second"\nbatch_age_s = 0.1\n'


@pytest.fixture
def daemon(tmp_path: Path, broker: Mosquitto) -> Daemon:
    daemon = Daemon(tmp_path, broker.port, ARCHIVE)
    daemon.start()
    wait_until(lambda: daemon.logged("connected") > 0)
    return daemon


def reload(daemon: Daemon, nodes: Nodes, old: str, new: str) -> None:
    """Change the file, send SIGHUP, and go on sending until it is taken."""
    text = daemon.config.read_text()
    assert old in text
    daemon.config.write_text(text.replace(old, new))
    taken = daemon.logged("registry taken")
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)

    def is_taken() -> bool:
        nodes.send()
        time.sleep(0.005)
        return daemon.logged("registry taken") > taken

    wait_until(is_taken)


def test_sinks_change_under_load_and_lose_and_double_nothing(daemon: Daemon, nodes: Nodes) -> None:
    for old, new in (
        (ARCHIVE, LOUD),
        (LOUD, LOUD + SECOND),
        (LOUD, ARCHIVE),
        (SECOND, ""),
        (ARCHIVE, ARCHIVE),
    ):
        for _ in range(20):
            nodes.send()
        reload(daemon, nodes, old, new)
    nodes.finish()
    wait_until(lambda: set(daemon.archived()) >= nodes.keys())
    assert daemon.end(signal.SIGTERM) == 0
    assert set(daemon.archived()) == nodes.keys()
    assert set(daemon.archived().values()) == {1}
    second = (daemon.folder / "second" / "readings-000001.ndjson").read_text().splitlines()
    keys = [json.loads(line)["key"] for line in second]
    assert len(keys) == len(set(keys)) > 0
    assert daemon.logged("configuration taken") == 4
    assert daemon.logged("connected") == 1  # the street noticed nothing


def test_a_level_is_taken_and_an_address_is_named_as_waiting(daemon: Daemon, nodes: Nodes) -> None:
    reload(daemon, nodes, "[broker]\n", '[log]\nlevel = "debug"\n[broker]\nbind = "127.0.0.2"\n')
    said = [json.loads(line) for line in daemon.log.read_text().splitlines()]
    (taken,) = [line for line in said if line["message"] == "configuration taken"]
    (waits,) = [line for line in said if line["message"] == "some changes wait for the next start"]
    assert (taken["changed"], waits["keys"]) == (["log.level"], ["broker.bind"])
    nodes.finish()
    assert daemon.logged("connected") == 1


def test_a_bad_file_changes_nothing_and_raises_an_alarm_until_it_is_mended(
    daemon: Daemon, nodes: Nodes
) -> None:
    good = daemon.config.read_text()
    daemon.config.write_text(good + "[stoer]\n")
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.logged("configuration not taken") == 1)
    wait_until(lambda: list(daemon.alarms()) == ["config_not_taken"])
    assert 'did you mean "store"' in daemon.alarms()["config_not_taken"]
    nodes.send()
    nodes.finish()
    wait_until(lambda: set(daemon.archived()) == nodes.keys())
    daemon.config.write_text(good)
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.alarms() == {})


def test_a_registry_that_cannot_be_read_ends_nothing(daemon: Daemon, nodes: Nodes) -> None:
    """A name that stands for a folder, and after it a file again."""
    good = daemon.config.read_text()
    for text, told in (
        (good.replace("registry.toml", "out"), "registry not taken"),
        (good, "registry taken"),
    ):
        daemon.config.write_text(text)
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGHUP)
        wait_until(lambda told=told: daemon.logged(told) > 0)  # type: ignore[misc]
        alarms = ["registry_not_taken"] if told == "registry not taken" else []
        wait_until(lambda alarms=alarms: list(daemon.alarms()) == alarms)  # type: ignore[misc]
        nodes.send()
        nodes.finish()
