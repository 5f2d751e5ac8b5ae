"""What the figures of a self-test mean: pass, or what to do. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, pstdev
from typing import Any

# derb.crumbs: how far a wake came.
RADIO, NAME, CONNECT, SECURE, EXCHANGE = 5, 6, 7, 8, 9
# The noisiest chip that is known, a QMC5883L, has 0.2 uT rms by its data sheet; a loose wire or a moving car has more.
_NOISE_NT = 1500
_FIELD_NT = (15_000, 150_000)  # the Earth's is 22 to 67 uT; the node's own iron adds to it
_ANSWERED_PCT = 70
_SPREAD_MM = 40
_RSSI_DBM = -85
_NO_RADIO = ("no Wi-Fi", "relay", "ESP-NOW")
_NO_RADIO_DO = (
    "are ssid and psk right, is the access point (2.4 GHz) or the relay in reach, is the antenna on?"
)
_NO_RECEIPT_DO = (
    "the broker takes frames and no gateway answers: is the node in its registry, is the gateway up?"
)
_UNREACHED_DO = {
    RADIO: "no network: ssid and psk in its settings, or no relay in reach",
    NAME: "the network does not know the broker's name: write its address, or mend the network's name server",
    CONNECT: "is the broker up, are its address and port right, is this node in its password list?",
    SECURE: "the broker's certificate or pre-shared key does not fit: tls, user and password in its settings",
}


@dataclass(frozen=True)
class Check:
    """One line of the report. `do`: what to do, empty when it passed."""

    check: str
    value: str
    do: str = ""

    @property
    def passed(self) -> bool:
        return not self.do

    def to_json(self) -> dict[str, object]:
        return {"check": self.check, "pass": self.passed, "value": self.value, "do": self.do or None}


def of_identity(found: Mapping[str, Any]) -> Iterator[Check]:
    """The node's settings and key."""
    if "problem" in found:
        yield Check(
            "settings", str(found["problem"]), "write its settings anew: `derb provision`, or `derb flash`"
        )
    else:
        yield Check("settings", f"{found['kind']} over {found['link']}, broker {found['broker'] or '(none)'}")
    missing = "the gateway will not know it: `derb provision` gives it a key"
    yield Check("key", "there", "") if found["key"] else Check("key", "none", missing)


def of_chips(found: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Each part that its settings name."""
    for chip in found:
        if chip["found"]:
            yield Check(chip["part"], str(chip["name"]))
            yield from _own_test(chip["self_test"])
        else:
            yield Check(
                chip["part"],
                str(chip["says"]),
                "look at its wires: power, ground, the pins of docs/wiring or `derb boards`",
            )


def _own_test(said: str | None) -> Iterator[Check]:
    """What the chip says of itself: "" passed, None: it cannot test itself."""
    again = "hold the node still, magnets and steel away, then again; if it stays, change the chip"
    if said is not None:
        yield Check("self-test", said or "passed by the chip itself", again if said else "")


def of_field(found: Mapping[str, Any]) -> Iterator[Check]:
    """Noise and strength of the magnetic field, from samples in nT."""
    axes = list(zip(*found["field_nt"], strict=True))
    noise_nt = round(max(pstdev(axis) for axis in axes))
    field_nt = round(math.hypot(*(sum(axis) / len(axis) for axis in axes)))
    do = ""
    if noise_nt == 0:
        do = (
            "the chip says the same again and again: take its power away for a moment; if it stays, change it"
        )
    elif noise_nt > _NOISE_NT:
        do = "something moves or a wire is loose: hands, tools and cars away, then again"
    yield Check("noise", f"{noise_nt} nT rms", do)
    odd = not _FIELD_NT[0] <= field_nt <= _FIELD_NT[1]
    yield Check(
        "field",
        f"{field_nt / 1000:.1f} uT",
        "a magnet or steel is too close (the Earth's field is 22 to 67 uT): a speaker, screws, rebar"
        if odd
        else "",
    )


def of_echoes(found: Mapping[str, Any], empty_mm: int) -> Iterator[Check]:
    """Echo quality of a ranger: how many pings are answered, and how well they agree."""
    answered = [echo_us for echo_us in found["echoes_us"] if echo_us > 0]
    percent = 100 * len(answered) // max(1, len(found["echoes_us"]))
    do = (
        ""
        if percent >= _ANSWERED_PCT
        else "aim it straight down, clear of the wall; look at its wires and its 5 V"
    )
    yield Check("echoes", f"{percent} % answered", do)
    if not answered:
        return
    distances_mm = [distance_mm(echo_us, found["temp_c100"]) for echo_us in answered]
    middle_mm = round(median(distances_mm))
    spread_mm = round(median(abs(each - middle_mm) for each in distances_mm) * 1.4826)
    rough = "the surface or a wall scatters it: move the sensor a hand's breadth, or narrow its horn"
    yield Check("echo spread", f"{spread_mm} mm", rough if spread_mm > _SPREAD_MM else "")
    deep = f"more than empty_mm ({empty_mm}): `derb calibrate` in the empty container"
    yield Check("distance", f"{middle_mm} mm", deep if middle_mm > empty_mm + 100 else "")


def distance_mm(echo_us: int, temp_c100: int) -> float:
    """The distance that an echo time means: sound in air of that temperature (331.3 m/s + 0.606 m/s a degree)."""
    return echo_us * (331_300 + 6.06 * temp_c100) / 2_000_000


def of_battery(millivolt: int | None, low_mv: int) -> Iterator[Check]:
    """The battery, where it is measured."""
    if millivolt is None:
        yield Check("battery", "not measured (batt_pin is -1)")
    else:
        low = f"below batt_low_mv ({low_mv}): charge or change it"
        yield Check("battery", f"{millivolt} mV", low if millivolt < low_mv else "")


def of_wake(found: Mapping[str, Any]) -> Iterator[Check]:
    """One whole wake: radio, broker, receipt, and the time until it slept."""
    failed = next((line for line in found["said"] if line.startswith("failed ")), "")
    if found["gated"]:
        yield Check(
            "radio", "off: the battery is below radio_min_mv", "charge or change the battery, then again"
        )
        return
    came_to = [phase for phase in found["phases"] if RADIO <= phase <= EXCHANGE]
    yield from _way_out(came_to[-1] if came_to else RADIO, failed, found)
    yield Check("sleep", f"asleep after {found['awake_ms'] / 1000:.1f} s, for {found['sleep_ms'] // 1000} s")


def _way_out(reached: int, failed: str, found: Mapping[str, Any]) -> Iterator[Check]:
    if any(sign in failed for sign in _NO_RADIO):
        yield Check("radio", failed, _NO_RADIO_DO)
        return
    yield _signal(found["rssi_dbm"])
    if reached < EXCHANGE:
        yield Check("broker", failed or "not reached", _UNREACHED_DO[reached])
        return
    yield Check("broker", f"reached in {found['connect_ms'] / 1000:.1f} s")
    receipt = f"after {found['exchange_ms'] / 1000:.1f} s" if found["delivered"] else failed or "none"
    yield Check("receipt", receipt, "" if found["delivered"] else _NO_RECEIPT_DO)


def _signal(rssi_dbm: int) -> Check:
    weak = "weak: antenna up and out of metal, a nearer access point, or a relay (link = espnow)"
    known = f"{rssi_dbm} dBm" if rssi_dbm else "signal not known"
    return Check("radio", known, weak if rssi_dbm < _RSSI_DBM else "")
