"""A registry file as text, changed table by table: what is not changed stays to the byte, comments and order included."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

_HEADER = re.compile(r"\s*\[\[\s*(zone|node|bay|container|closed)\s*\]\]\s*(?:#.*)?$")
_ANY_HEADER = re.compile(r"\s*\[\[?\s*[A-Za-z0-9_.-]+\s*\]\]?\s*(?:#.*)?$")


class RegistryText:
    """The file, cut before each table. A sound registry is expected, and one must be made of what comes out."""

    def __init__(self, text: str) -> None:
        self._tables = [""]
        for line in text.splitlines(keepends=True):
            if _ANY_HEADER.match(line):
                self._tables.append("")
            self._tables[-1] += line

    def __str__(self) -> str:
        return "".join(self._tables)

    def tables(self, kind: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (number, keys) of the [[kind]] tables; the number is for `change`."""
        for number, text in enumerate(self._tables):
            header = _HEADER.match(text.partition("\n")[0])
            if header and header[1] == kind:
                yield number, tomllib.loads(text)[kind][0]

    def change(self, number: int, changes: Mapping[str, Any]) -> None:
        """Set keys of a table; None takes one out."""
        import tomlkit  # takes memory that the daemon has no use for

        document = tomlkit.parse(self._tables[number])
        (tables,) = document.values()
        for key, value in changes.items():
            if value is not None:
                tables[0][key] = value
            elif key in tables[0]:
                del tables[0][key]
        self._tables[number] = tomlkit.dumps(document)

    def remove(self, number: int) -> None:
        """Take a table out; what stands below its last key is about the next one, and stays."""
        lines = self._tables[number].splitlines(keepends=True)
        last = max(i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#"))
        self._tables[number] = "".join(lines[last + 1 :])

    def add(self, kind: str, keys: Mapping[str, Any]) -> None:
        """Write a [[kind]] table at the end; keys that are None are left out."""
        import tomlkit

        table = tomlkit.table()
        for key, value in keys.items():
            if value is not None:
                table.add(key, value)
        tables = tomlkit.aot()
        tables.append(table)
        document = tomlkit.document()
        document.add(kind, tables)
        before = "" if not str(self) else "\n" if str(self).endswith("\n") else "\n\n"
        self._tables += [before, tomlkit.dumps(document)]
