"""Partition tables: the format of Espressif, byte by byte, and no damaged one taken for a good one."""

import pytest
from derb_tools.errors import ImageRefused
from derb_tools.flash.partitions import TABLE_AT, TABLE_BYTES, parse_table, table_bytes

from tests.tools.flash.images import ESP32_LOADER_AT, real_image


def official() -> bytes:
    begin = TABLE_AT - ESP32_LOADER_AT
    return real_image()[begin : begin + TABLE_BYTES]


def test_the_official_table_is_made_again_to_the_byte() -> None:
    assert table_bytes(parse_table(official())) == official()


@pytest.mark.parametrize("at", [0, 3, 13, 60, 100, 127, 130, 150])
def test_a_changed_byte_is_refused(at: int) -> None:
    damaged = bytearray(official())
    damaged[at] ^= 0x10
    with pytest.raises(ImageRefused, match="partition table"):
        parse_table(bytes(damaged))


@pytest.mark.parametrize("length", [0, 31, 32, 100, 160])
def test_a_cut_table_is_refused(length: int) -> None:
    with pytest.raises(ImageRefused, match="has no end"):
        parse_table(official()[:length])


def test_no_table_at_all_is_refused() -> None:
    with pytest.raises(ImageRefused, match="there is no partition table: entry 0 begins with 0000"):
        parse_table(bytes(TABLE_BYTES))
