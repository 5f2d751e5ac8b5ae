"""Two hundred nodes over relays: nothing lost, nothing doubled, whatever happens to the cable and the relay's power."""

import random
import time
from pathlib import Path
from typing import Any

import pytest
from derb_tools.board import Faults
from derb_tools.board.air import AirRadio
from derb_tools.demo.ledger import Ledger, balance
from derb_tools.demo.plan import Ports, make_board, registry_toml
from gateway.kit import DEADLINE_S, free_port, wait_until

from tests.e2e.relay_rig import Crowd, RelayRig, relay_id
from tests.e2e.rig import planned

NODES = [f"240ac5{number:06x}" for number in range(200)]


class Noise:
    """A bad cable: one in so many bytes is flipped, lost or followed by garbage."""

    def __init__(self, seed: int, one_in: int) -> None:
        self.harmed = 0
        self._chance = random.Random(seed)
        self._one_in = one_in

    def __call__(self, sent: bytes) -> bytes:
        out = bytearray()
        for byte in sent:
            if self._chance.randrange(self._one_in):
                out.append(byte)
                continue
            self.harmed += 1
            match self._chance.randrange(3):
                case 0:
                    out.append(byte ^ 1 << self._chance.randrange(8))
                case 1:
                    out += bytes([byte]) + self._chance.randbytes(self._chance.randrange(1, 40))
        return bytes(out)


def _balance(rig: RelayRig, crowd: Crowd) -> tuple[int, int, int]:
    """(made, lost, doubled), after waiting for the sink."""
    deadline_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline_s and len(rig.forwarded()) < crowd.made:
        time.sleep(0.1)
    forwarded, keys = rig.forwarded(), crowd.keys()
    return len(keys), len(keys - forwarded.keys()), sum(n > 1 for n in forwarded.values())


def harmed(rig: RelayRig) -> int:
    """How many damaged lines the gateway has told of; it writes its status every ten seconds."""
    relay = rig.status()["relays"].get("r0")
    return relay["line_bad"] if isinstance(relay, dict) else 0


def test_two_hundred_nodes_with_the_cable_pulled_in_the_middle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RelayRig(tmp_path, NODES) as rig:
        rig.wait_for_log("relay connected")
        crowd = Crowd(rig.air.port, NODES, relay_id(0))
        crowd.start(readings=10, rate=150)
        time.sleep(4)
        rig.relays[0].cable.unplug()
        rig.wait_for_log("relay is away")
        time.sleep(2)
        rig.relays[0].cable.plug()
        crowd.settle()
        made, lost, doubled = _balance(rig, crowd)
        status = rig.status()
        cable = rig.relays[0].cable.counts
    with capsys.disabled():
        print(
            f"\n200 nodes, cable pulled: {made} readings, {lost} lost, {doubled} doubled; {status['relays']['r0']} {dict(cable)}"
        )
    assert (made, lost, doubled, crowd.waiting) == (2000, 0, 0, 0)
    assert rig.relays[0].results[-1].end == "power_cut", "the relay ran through without a reset"


def test_two_relays_that_hear_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = NODES[:60]
    with RelayRig(tmp_path, nodes, relays=2) as rig:
        for node in nodes[:30]:
            rig.air.rssi_dbm[bytes.fromhex(node), relay_id(1)] = -85
        rig.wait_for_log("relay connected", times=2)
        crowd = Crowd(rig.air.port, nodes)
        crowd.start(readings=5, rate=40)
        time.sleep(3)
        rig.relays[1].cable.unplug()
        time.sleep(2)
        rig.relays[1].cable.plug()
        crowd.settle()
        made, lost, doubled = _balance(rig, crowd)
        status = rig.status()
    counters = status["counters"]
    with capsys.disabled():
        print(f"\n60 nodes, two relays: {made} readings, {lost} lost, {doubled} doubled; {counters}")
    assert (made, lost, doubled, crowd.waiting) == (300, 0, 0, 0)
    assert counters.get("relay.heard_twice", 0) > 100, "both heard nearly everything"
    assert counters.get("refused.repeat", 0) == 0, "that is normal, and no repeat"


def test_a_relay_whose_power_is_cut_again_and_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = NODES[:40]
    cuts = 6
    with RelayRig(tmp_path, nodes) as rig:
        rig.wait_for_log("relay connected")
        crowd = Crowd(rig.air.port, nodes, relay_id(0))
        crowd.start(readings=12, rate=40)
        for number in range(cuts):
            time.sleep(1.1 + 0.13 * number)
            rig.relays[0].power_off()
            time.sleep(0.4)
            rig.relays[0].power_on()
        crowd.settle()
        made, lost, doubled = _balance(rig, crowd)
    with capsys.disabled():
        print(f"\n40 nodes, {cuts} power cuts of the relay: {made} readings, {lost} lost, {doubled} doubled")
    assert (made, lost, doubled, crowd.waiting) == (480, 0, 0, 0)
    assert rig.log().count("relay started anew") == cuts


def test_a_cable_that_flips_drops_and_invents_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nodes = NODES[:40]
    noise = Noise(seed=20_261_128, one_in=400)
    with RelayRig(tmp_path, nodes) as rig:
        rig.wait_for_log("relay connected")
        rig.relays[0].cable.to_board = rig.relays[0].cable.to_laptop = noise
        crowd = Crowd(rig.air.port, nodes, relay_id(0))
        crowd.start(readings=10, rate=40)
        crowd.settle()
        made, lost, doubled = _balance(rig, crowd)
        wait_until(lambda: harmed(rig) > 5)
    with capsys.disabled():
        print(
            f"\n40 nodes, {noise.harmed} damages on the cable: {made} readings, {lost} lost, {doubled} doubled"
        )
    assert (made, lost, doubled, crowd.waiting) == (400, 0, 0, 0)
    assert noise.harmed > 50
    assert len(rig.relays[0].results) == 1, "no damage made the relay start anew"


def test_a_radio_that_runs_dry_is_started_anew(tmp_path: Path) -> None:
    nodes = NODES[:20]
    with RelayRig(tmp_path, nodes, faults=Faults(espnow_no_mem_after=25, espnow_deaf_every=17)) as rig:
        rig.wait_for_log("relay connected")
        crowd = Crowd(rig.air.port, nodes, relay_id(0))
        crowd.start(readings=8, rate=40)
        crowd.settle()
        assert _balance(rig, crowd) == (160, 0, 0)
        rig.wait_for_log("relay restarted its radio")
        rig.wait_for_log("relay lost packets")
    assert len(rig.relays[0].results) == 1


def test_a_frame_played_back_by_another_relay_is_refused_and_counted(tmp_path: Path) -> None:
    with RelayRig(tmp_path, NODES[:2], relays=2) as rig:
        rig.wait_for_log("relay connected", times=2)
        crowd = Crowd(rig.air.port, NODES[:2], relay_id(0))
        crowd.start(readings=3, rate=10)
        crowd.settle()
        assert _balance(rig, crowd) == (6, 0, 0)
        node, recorded = crowd.frames[0]
        time.sleep(5.5)  # sooner it could be the node itself, which got no receipt
        with AirRadio(rig.air.port, bytes.fromhex(node)) as attacker:
            attacker.send(relay_id(1), recorded)
            changed = recorded[:5] + bytes([recorded[5] ^ 1]) + recorded[6:]
            attacker.send(relay_id(1), changed)
        with AirRadio(rig.air.port, bytes.fromhex(NODES[1])) as other:
            other.send(relay_id(1), recorded)
        with AirRadio(rig.air.port, bytes.fromhex("240ac5ffffff")) as stranger:
            stranger.send(relay_id(1), recorded)
        status: dict[str, Any] = {}

        def all_are_told() -> bool:
            status.update(rig.status())
            return sum(status["quarantine"].values()) == 3 and bool(status["waiting_nodes"])

        wait_until(all_are_told)
        assert status["quarantine"] == {"repeat": 1, "bad_tag": 2}
        assert list(status["waiting_nodes"]) == ["240ac5ffffff"]
        assert status["waiting_nodes"]["240ac5ffffff"]["relay"] == "r1"
        assert _balance(rig, crowd) == (6, 0, 0)


def test_a_whole_node_over_a_relay_that_loses_its_power_and_its_cable(tmp_path: Path) -> None:
    node = planned(tmp_path, 1, "level", wake_s=300, report_every=1, link="espnow", health_every_s=604800)
    ledger = Ledger([node.id])
    with RelayRig(tmp_path, [], registry=registry_toml([node], "zone"), extra="channel = 9") as rig:
        rig.wait_for_log("relay connected")
        board = make_board(tmp_path / "boards", node, Ports(free_port(), free_port()), speed=0)
        board.air_port = rig.air.port
        relay = rig.relays[0]

        def wake() -> str:
            result = board.wake()
            ledger.read(node.id, result.log, result.start_ms)
            assert result.end == "deepsleep", result
            assert not result.violations
            return "\n".join(result.log)

        wait_until(lambda: "done" in wake())
        assert ledger.waiting == 0
        assert board.nvs()["derb"]["relay"][:7] == relay_id(0) + b"\x09", (
            "on the channel of the configuration"
        )  # type: ignore[index]
        relay.power_off()
        assert "derb failed" in wake()
        relay.power_on()
        relay.cable.unplug()
        wait_until(lambda: "derb failed no relay has a gateway" in wake())
        relay.cable.plug()
        rig.wait_for_log("relay connected", times=2)
        wait_until(lambda: wake() and ledger.waiting == 0 and len(ledger.kept()) >= 5)
        kept = ledger.kept()
        wait_until(lambda: len(rig.forwarded()) >= len(kept))
        assert balance(kept, rig.forwarded()).sound
