"""What an NVS partition holds, read as far as it is sound. Pure.

The format is that of ESP-IDF (API reference, "Non-Volatile Storage Library", Internals). A node may have lost power in
the middle of a change; of two entries of one name the later one counts, as on the chip.
"""

import struct
import zlib
from collections.abc import Iterator

PAGE_BYTES = 4096
_ENTRY_BYTES, _ENTRIES = 32, 126
_BITMAP_AT, _ENTRIES_AT = 32, 64
_EMPTY, _CORRUPT = 0xFFFFFFFF, 0
_WRITTEN = 2
_INTEGERS = {0x01: "<B", 0x11: "<b", 0x02: "<H", 0x12: "<h", 0x04: "<I", 0x14: "<i", 0x08: "<Q", 0x18: "<q"}
_CHUNK, _INDEX = 0x42, 0x48

Values = dict[str, int | bytes]


def read_nvs(raw: bytes) -> dict[str, Values]:
    """Namespace -> key -> an integer or a blob; what is damaged is left out, so that nothing comes out of no NVS."""
    names: dict[int, str] = {}
    values: dict[tuple[int, str], int | bytes] = {}
    chunks: dict[tuple[int, str, int], bytes] = {}
    indexes: dict[tuple[int, str], tuple[int, int, int]] = {}
    for head, body in _entries(raw):
        namespace, kind, number = head[0], head[1], head[3]
        key = head[8:24].split(b"\0")[0].decode("ascii", "replace")
        if namespace == 0 and kind == 0x01:
            names[head[24]] = key
        elif kind in _INTEGERS:
            (values[namespace, key],) = struct.unpack_from(_INTEGERS[kind], head, 24)
        elif kind == _CHUNK:
            size, crc = struct.unpack_from("<H2xI", head, 24)
            if len(body) >= size and _crc(body[:size]) == crc:
                chunks[namespace, key, number] = body[:size]
        elif kind == _INDEX:
            indexes[namespace, key] = struct.unpack_from("<IBB", head, 24)
    for (namespace, key), (size, count, first) in indexes.items():
        blob = b"".join(chunks.get((namespace, key, first + at), b"") for at in range(count))
        if len(blob) == size:
            values[namespace, key] = blob
    found: dict[str, Values] = {name: {} for name in names.values()}
    for (namespace, key), value in values.items():
        if namespace in names:
            found[names[namespace]][key] = value
    return found


def _entries(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(entry, the bytes that follow it and belong to it), oldest first."""
    pages = [raw[at : at + PAGE_BYTES] for at in range(0, len(raw) - PAGE_BYTES + 1, PAGE_BYTES)]
    for page in sorted(filter(_is_sound, pages), key=lambda page: struct.unpack_from("<I", page, 4)[0]):
        number = 0
        while number < _ENTRIES:
            at = _ENTRIES_AT + number * _ENTRY_BYTES
            head = page[at : at + _ENTRY_BYTES]
            written = page[_BITMAP_AT + number // 4] >> number % 4 * 2 & 3 == _WRITTEN
            if not written or struct.unpack_from("<I", head, 4)[0] != _crc(head[:4] + head[8:]):
                number += 1
                continue
            span = max(1, head[2])
            yield head, page[at + _ENTRY_BYTES : at + span * _ENTRY_BYTES]
            number += span


def _is_sound(page: bytes) -> bool:
    state, crc = struct.unpack_from("<I", page)[0], struct.unpack_from("<I", page, 28)[0]
    return state not in (_EMPTY, _CORRUPT) and crc == _crc(page[4:28])


def _crc(content: bytes) -> int:
    return zlib.crc32(content, 0xFFFFFFFF)
