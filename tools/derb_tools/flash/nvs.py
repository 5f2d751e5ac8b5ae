"""An NVS partition, where a node keeps its identity and secrets, made by Espressif's own generator."""

import io
from collections.abc import Mapping

from esp_idf_nvs_partition_gen import nvs_partition_gen

from derb_tools.errors import ImageRefused
from derb_tools.flash.partitions import SECTOR_BYTES

Entries = Mapping[str, Mapping[str, int | bytes]]
"""Namespace -> key -> an i32 or a blob, which is all that the firmware reads."""

_LONGEST_NAME = 15


def nvs_bytes(entries: Entries, size: int) -> bytes:
    """The partition, `size` bytes. ImageRefused when the entries do not fit."""
    made = io.BytesIO()
    try:
        # One page stays free, or NVS could never write again.
        nvs = nvs_partition_gen.nvs_open(made, size - SECTOR_BYTES, nvs_partition_gen.Page.VERSION2)
        for namespace, values in entries.items():
            nvs_partition_gen.write_entry(nvs, _name(namespace), "namespace", "", "")
            for key, value in values.items():
                _write(nvs, _name(key), value)
        nvs_partition_gen.nvs_close(nvs)
    except nvs_partition_gen.InsufficientSizeError:
        raise ImageRefused(
            f"the node's settings do not fit into NVS of {size} bytes; make layout.nvs of the board larger"
        ) from None
    return made.getvalue()


def _write(nvs: nvs_partition_gen.NVS, key: str, value: int | bytes) -> None:
    if isinstance(value, int):
        nvs_partition_gen.write_entry(nvs, key, "data", "i32", str(value))
    else:
        nvs_partition_gen.write_entry(nvs, key, "data", "hex2bin", value.hex())


def _name(name: str) -> str:
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise ImageRefused(f"NVS takes names of up to {_LONGEST_NAME} letters, not {name!r}")
    return name
