"""TLS by pre-shared key to a real Mosquitto: the right key delivers, a wrong one or silence ends in sleep in time."""

from dataclasses import replace
from pathlib import Path

import pytest
from derb_tools.board import Faults, SimBoard
from derb_tools.board.nvs import write_nvs
from derb_tools.demo.plan import Ports, make_board

from tests.e2e.rig import Process, free_port, planned

BUDGET_MS = 4000 + 15_000
LABEL = b"derb1t"


def _board(folder: Path, key_hex: str | None = None) -> tuple[SimBoard, Process]:
    import hashlib
    import hmac

    node = planned(folder, 1, "level", wake_s=300, tls="psk")
    port = free_port()
    shared = key_hex or hmac.new(node.key, LABEL + node.node_id, hashlib.sha256).hexdigest()
    keys, conf = folder / "psk", folder / "mosquitto.conf"
    keys.write_text(f"{node.id}:{shared}\n")
    keys.chmod(0o644)
    conf.write_text(
        f"listener {port} 127.0.0.1\npsk_hint derb\npsk_file {keys}\nuse_identity_as_username true\n"
        "allow_anonymous true\nlog_dest stderr\nlog_type all\nuser root\n"
    )
    broker = Process(["mosquitto", "-c", str(conf)], folder / "broker.log", port)
    broker.start()
    return make_board(folder / "boards", node, Ports(port, free_port()), speed=0), broker


def test_the_key_made_from_the_nodes_opens_the_broker(tmp_path: Path) -> None:
    board, broker = _board(tmp_path)
    try:
        result = board.wake()
    finally:
        broker.kill()
    assert result.end == "deepsleep", result
    assert result.said("derb sent"), result
    assert "u'240ac4000001'" in (tmp_path / "broker.log").read_text()


@pytest.mark.parametrize("what", ["another key", "silence", "no TLS at the broker"])
def test_what_is_wrong_with_tls_ends_in_sleep_and_keeps_the_readings(what: str, tmp_path: Path) -> None:
    board, broker = _board(tmp_path, "ab" * 32 if what == "another key" else None)
    faults = Faults(read="stall") if what == "silence" else Faults()
    if what == "no TLS at the broker":
        broker.kill()
        conf = tmp_path / "mosquitto.conf"
        lines = [
            line for line in conf.read_text().splitlines() if "psk" not in line and "identity" not in line
        ]
        conf.write_text("\n".join(lines) + "\n")
        broker.start()
    try:
        result = board.wake(faults=faults)
    finally:
        broker.kill()
    assert result.end == "deepsleep", result
    assert result.said("derb failed"), result
    assert result.awake_ms < BUDGET_MS
    assert sum(line.startswith("derb safe") for line in result.log) == 2


def test_without_tls_where_it_is_wanted_nothing_is_sent_in_the_open(tmp_path: Path) -> None:
    board, broker = _board(tmp_path)
    broker.kill()
    write_nvs(board.dir / "nvs", "derb", {"cfg": b'{"kind": "level", "tls": "ca", "ssid": "derb", "log": 1}'})
    board.site = replace(board.site)
    result = board.wake()
    assert result.end == "deepsleep", result
    assert not result.said("derb sent"), result
