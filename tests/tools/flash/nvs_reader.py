"""Reads an NVS partition back, by Espressif's description of the format and not by the generator's code."""

import struct
import zlib

PAGE = 4096
ENTRY = 32
_STATES = {0xFFFFFFFF: "empty", 0xFFFFFFFE: "active", 0xFFFFFFFC: "full"}
_U8, _I32, _BLOB_CHUNK, _BLOB_INDEX = 0x01, 0x14, 0x42, 0x48


def read_nvs_partition(raw: bytes) -> dict[str, dict[str, int | bytes]]:
    """Namespace -> key -> value. AssertionError when a checksum or a state is not as it should be."""
    names: dict[int, str] = {}
    found: dict[str, dict[str, int | bytes]] = {}
    states = []
    for at in range(0, len(raw), PAGE):
        page = raw[at : at + PAGE]
        (state,) = struct.unpack_from("<I", page)
        states.append(_STATES[state])
        if states[-1] == "empty":
            assert page.strip(b"\xff") == b""
            continue
        assert struct.unpack_from("<I", page, 28)[0] == _crc(page[4:28])
        _read_page(page, names, found)
    assert states.count("empty") >= 1, "NVS needs a free page to ever write again"
    return found


def _read_page(page: bytes, names: dict[int, str], found: dict[str, dict[str, int | bytes]]) -> None:
    number = 0
    while number < 126:
        written = page[32 + number // 4] >> number % 4 * 2 & 3 == 2
        head = page[64 + number * ENTRY : 96 + number * ENTRY]
        span = head[2] if written else 1
        if written:
            body = page[96 + number * ENTRY : 64 + (number + span) * ENTRY]
            _read_entry(head, body, names, found)
        number += span


def _read_entry(
    head: bytes, body: bytes, names: dict[int, str], found: dict[str, dict[str, int | bytes]]
) -> None:
    namespace, kind = head[0], head[1]
    assert struct.unpack_from("<I", head, 4)[0] == _crc(head[:4] + head[8:])
    key = head[8:24].rstrip(b"\0").decode("ascii")
    if namespace == 0:
        assert kind == _U8
        names[head[24]] = key
        found[key] = {}
    elif kind == _I32:
        found[names[namespace]][key] = struct.unpack_from("<i", head, 24)[0]
    elif kind == _BLOB_CHUNK:
        size, crc = struct.unpack_from("<H2xI", head, 24)
        assert _crc(body[:size]) == crc
        before = found[names[namespace]].get(key, b"")
        assert isinstance(before, bytes)
        found[names[namespace]][key] = before + body[:size]
    else:
        assert kind == _BLOB_INDEX
        value = found[names[namespace]][key]
        assert isinstance(value, bytes)
        assert struct.unpack_from("<I", head, 24)[0] == len(value)


def _crc(content: bytes) -> int:
    return zlib.crc32(content, 0xFFFFFFFF)
