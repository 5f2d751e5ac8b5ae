"""Where in a TOML file a key stands, so that a message can name its line. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

_HEADER = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_.-]+)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"\s*[\"']?([A-Za-z0-9_-]+)[\"']?\s*=")

Place = tuple[int | str, ...]


def line_of(text: str, location: Sequence[int | str]) -> int | None:
    """Return the line, from 1, of a key path such as ("sink", 1, "path"), or of its table; None if neither is there."""
    lines: dict[Place, int] = {}
    for number, place in _places(text):
        lines.setdefault(place, number)
    wanted = tuple(location)
    while wanted and wanted not in lines:
        wanted = wanted[:-1]
    return lines.get(wanted)


def _places(text: str) -> Iterator[tuple[int, Place]]:
    """Yield the line of each header and key."""
    table: Place = ()
    count: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            name = header[2]
            if header[1] == "[[":
                count[name] += 1
                yield number, (*_within(name, count)[:-1],)
            table = _within(name, count)
            yield number, table
        elif key := _KEY.match(line):
            yield number, (*table, key[1])


def _within(name: str, count: Counter[str]) -> Place:
    """Return a table's path: `sink.tls` is in the latest of the [[sink]] tables."""
    path: list[int | str] = []
    so_far = ""
    for part in name.split("."):
        so_far = f"{so_far}.{part}" if so_far else part
        path += [part, count[so_far] - 1] if count[so_far] else [part]
    return tuple(path)
