"""An NVS partition is read as the chip reads it, and damage costs what is damaged."""

import random
import struct
import zlib

from derb_tools.flash.nvs import nvs_bytes
from derb_tools.flash.nvs_read import read_nvs

from tests.tools.flash.nvs_reader import read_nvs_partition

ENTRIES = {
    "derb": {"cfg": b'{"kind":"level"}' * 9, "key": bytes(range(32)), "boot": 7, "cmd": -3},
    "derb_relay": {"channel": 6},
}
PARTITION = nvs_bytes(ENTRIES, 0x6000)


def test_what_espressifs_generator_wrote_is_read() -> None:
    assert read_nvs(PARTITION) == ENTRIES == read_nvs_partition(PARTITION)


def test_of_two_entries_of_a_name_the_one_in_the_later_page_counts() -> None:
    old, new = (bytearray(nvs_bytes({"derb": {"boot": boot}}, 0x3000)[:0x1000]) for boot in (7, 8))
    new[4:8] = struct.pack("<I", 1)
    new[28:32] = struct.pack("<I", zlib.crc32(new[4:28], 0xFFFFFFFF))
    for pages in (old + new, new + old):
        assert read_nvs(bytes(pages)) == {"derb": {"boot": 8}}


def test_an_entry_that_was_erased_is_not_there() -> None:
    page = bytearray(nvs_bytes({"derb": {"boot": 7}}, 0x3000))
    page[32] = 0xF2  # of the two entries, namespace and number, the second is erased
    assert read_nvs(bytes(page)) == {"derb": {}}


def test_damage_costs_what_is_damaged_and_makes_nothing_up() -> None:
    chance = random.Random(6)
    for _ in range(300):
        damaged = bytearray(PARTITION[: chance.choice([0, 1, 4095, 4096, 9000, len(PARTITION)])])
        for _ in range(chance.randrange(40) if damaged else 0):
            damaged[chance.randrange(min(len(damaged), 700))] = chance.randrange(256)
        for namespace, values in read_nvs(bytes(damaged)).items():
            assert values.items() <= ENTRIES.get(namespace, {}).items()


def test_noise_is_no_nvs() -> None:
    chance = random.Random(7)
    assert read_nvs(chance.randbytes(0x6000)) == {}
    assert read_nvs(b"") == {}
