"""A year of a bin and of a bay, simulated: what each costs, beside the same wakes and sends in JSON over plain umqtt.

The node's own code lives the year in MicroPython (tests/life), on a clock that only moves when told to. A bin reads every hour
and fills in three days; 40 cars a day park or leave at the bay and 30 only pass. Two hours of every week, and three days in the
middle of the year, the link is broken. Times of a boot and of a connection, and every charge, are those of
tools/derb_tools/energy_figures.py: measured by others on like boards, from data sheets, or assumed. Nothing was measured here.

Bytes are those of MQTT, or of ESP-NOW's payload, that the node sends; TCP/IP, DHCP and TLS are in neither figure. In the other
policy a message is what the frame holds as compact JSON, each connection is a new one with DHCP, and nobody waits for a receipt:
what it loses in the broken hours is lost.
"""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from derb_gateway.readings import KIND_NAMES, Uplink
from derb_tools.boards import load_board
from derb_tools.energy_figures import BOOST, CHIP_FIGURES, FIGURES
from derb_tools.energy_model import UC_PER_MAH, YEAR_DAYS, Setup, battery_days
from derb_tools.energy_setup import Asked, make_setup

from tests.life.lived import BAY, BIN, Lived, live

DAYS = 365
WEEK_S, DAY_S = 7 * 86_400, 86_400
OUTAGES = [(week * WEEK_S + week % 7 * DAY_S + 43_200, 7_200) for week in range(52)] + [
    (182 * DAY_S, 3 * DAY_S)
]
BOOT_MS = 418  # of a stock image on an ESP32-S3, glenn20
DHCP_MS, FIXED_MS = 1_560, 660  # glenn20, as in tests/life/board_life.py
BOARDS = (("esp32-devkitc-v4", False), ("firebeetle2-esp32-e", True), ("xiao-esp32c6", False))
SENSORS = {"parking": "lis3mdl", "level": "hc-sr04-switched"}
PLACES = {"parking": ("bay", BAY), "level": ("bin", BIN)}

# umqtt.simple's packets: heads and topics of a node's 12 hex digits.
CONNECT, PLAIN_CONNECT, SUBSCRIBE, DISCONNECT = 52, 26, 23, 2
PUBLISH_QOS_1, PUBLISH_QOS_0 = 22, 20


def compact_json(uplink: Uplink) -> bytes:
    """What a frame holds, as an application would write it down."""
    readings = [{"q": each.sequence, "a": each.age_s, **each.body.to_json()} for each in uplink.readings]
    content = {"k": KIND_NAMES[uplink.kind], "b": uplink.boot, "r": readings}
    return json.dumps(content, separators=(",", ":")).encode()


def bytes_sent(lived: Lived, link: str) -> int:
    """What Derb sends."""
    payload = sum(len(sent.frame) for sent in lived.sent)
    if link == "espnow":
        return payload
    counts = lived.counts
    heads = counts["connections"] * (CONNECT + DISCONNECT) + counts["subscribes"] * SUBSCRIBE
    return payload + heads + len(lived.sent) * PUBLISH_QOS_1


def bytes_in_json(lived: Lived) -> int:
    """What the other policy sends."""
    messages = [len(compact_json(sent.uplink)) for sent in lived.sent]
    longer = sum(size + 18 > 127 for size in messages)  # a second byte of MQTT's length
    return (
        sum(messages)
        + len(messages) * PUBLISH_QOS_0
        + longer
        + lived.counts["connections"] * (PLAIN_CONNECT + DISCONNECT)
    )


def awake_s(lived: Lived, *, plain: bool) -> int:
    """Awake, light sleep left out; the other policy has DHCP at each connection, and waits for nothing."""
    counts = lived.counts
    awake_ms = counts["awake_ms"] + counts["wakes"] * (BOOT_MS + FIGURES["own_work_ms"].value)
    if plain:
        awake_ms += (counts["connections"] - counts["dhcp"]) * (DHCP_MS - FIXED_MS)
        awake_ms -= counts["connections"] * 200
    return round(awake_ms / 1000)


def life_days(lived: Lived, setup: Setup, link: str, *, plain: bool) -> float:
    """How long the battery lasts if every year is as this one."""
    standing_ua = setup.board_sleep_ua + setup.sensor.standby_ua * _boost(setup)
    load = sum(_charges_uc(lived, setup, link, plain=plain)) / DAYS + standing_ua * DAY_S
    usable_uc = setup.battery_mah * setup.chemistry.usable * UC_PER_MAH
    return battery_days(usable_uc, load, setup.chemistry.loss_per_year)


def _boost(setup: Setup) -> float:
    return BOOST.value if setup.sensor.boosted else 1.0


def _charges_uc(lived: Lived, setup: Setup, link: str, *, plain: bool) -> Iterator[float]:
    figure = {name: each.value for name, each in FIGURES.items()}
    counts, chip = lived.counts, CHIP_FIGURES[setup.chip]
    yield counts["wakes"] * (chip.boot_uc.value + figure["own_work_ms"] * chip.awake_ma.value)
    yield (
        counts["pings"] * figure["ping_ms"] * (chip.awake_ma.value + setup.sensor.working_ma * _boost(setup))
    )
    yield counts["samples"] * figure["sample_ms"] * chip.awake_ma.value
    yield counts["light_sleep_ms"] / 1000 * chip.light_sleep_ua.value
    if link == "espnow":
        yield counts["connections"] * (figure["espnow_uc"] + figure["espnow_receipt_uc"])
        yield counts["failed"] * figure["espnow_failed_uc"]
        return
    dhcp = counts["connections"] if plain else counts["dhcp"]
    yield dhcp * figure["wifi_dhcp_uc"] + (counts["connections"] - dhcp) * figure["wifi_fixed_uc"]
    yield counts["connections"] * (figure["mqtt_uc"] + (0 if plain else figure["wifi_receipt_uc"]))
    yield counts["failed"] * figure["wifi_failed_uc"]


def say(figure: str, value: float, unit: str, **more: object) -> None:
    print(json.dumps({"bench": "year", "figure": figure, "value": value, "unit": unit, **more}), flush=True)


def tell(kind: str, link: str, lived: Lived) -> None:
    """All figures of one node."""
    place, counts = PLACES[kind][0], lived.counts
    name = f"{place}, {link}"
    lost = len(lived.kept) - len(lived.times_sent()) - counts["waiting"]
    say(
        f"{name}: readings kept",
        len(lived.kept),
        "readings",
        lost=lost,
        shed=counts["shed"],
        wakes=counts["wakes"],
    )
    say(
        f"{name}: awake, modelled", awake_s(lived, plain=False), "s a year", light_sleep_s=counts["light_sleep_ms"] // 1000,
        **({"json_umqtt_dhcp": awake_s(lived, plain=True)} if link == "wifi" else {}),
    )  # fmt: skip
    say(
        f"{name}: bytes sent", bytes_sent(lived, link), "bytes a year", frames=len(lived.sent),
        connections=counts["connections"], dhcp=counts["dhcp"], failed=counts["failed"], json_umqtt_dhcp=bytes_in_json(lived),
    )  # fmt: skip
    say(
        f"{name}: flash writes", round(counts["file_writes"] / DAYS, 2), "files a day", bar=10,
        blocks_and_nvs_a_day=round(counts["block_writes"] / DAYS, 2), most_in_a_day=max(lived.file_writes.values(), default=0),
    )  # fmt: skip
    for board, mended in BOARDS:
        asked = Asked(kind=kind, link=link, sensor=SENSORS[kind], mended=mended)
        setup = make_setup(load_board(board), asked)
        months = [life_days(lived, setup, link, plain=plain) * 12 / YEAR_DAYS for plain in (False, True)]
        more = {"json_umqtt_dhcp": round(months[1], 1)} if link == "wifi" else {}
        say(
            f"{name}: battery life on {board}, modelled", round(months[0], 1), "months", mended=mended,
            sensor=setup.sensor.name, battery=setup.chemistry.name, battery_mah=setup.battery_mah, **more,
        )  # fmt: skip


def main() -> None:
    asked = [(kind, link) for kind in PLACES for link in ("wifi", "espnow")]
    outages = [(begin, begin + length) for begin, length in OUTAGES]

    def lived(question: tuple[str, str]) -> Lived:
        kind, link = question
        return live({**PLACES[kind][1], "link": link}, DAYS, outages=outages)

    with ThreadPoolExecutor(2) as lanes:
        for (kind, link), year in zip(asked, lanes.map(lived, asked), strict=True):
            tell(kind, link, year)


if __name__ == "__main__":
    main()
