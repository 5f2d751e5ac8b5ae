"""TOML files as checked models: unknown keys are errors, and every mistake is told at once."""

import difflib
import tomllib
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from derb_gateway.errors import ConfigError
from derb_gateway.toml_lines import line_of

S = TypeVar("S", bound="Settings")

TomlPath = Annotated[Path, Field(strict=False)]  # TOML has no paths, only text
_SECRETS = ("key", "password")
_NEAR = 0.6  # farther off, a guess misleads more than it helps


class Settings(BaseModel):
    """A table whose unknown keys are errors and whose relative paths start at its file's folder."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def load_toml(path: Path, model: type[S]) -> S:
    """Return the file as a `model`; ConfigError with one line for each mistake."""
    return parse_toml(read_text(path), path, model)


def read_text(path: Path) -> str:
    """Return a file as text, its line ends as they are, without the mark that Windows puts before it; ConfigError."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        line = 1 + error.object[: error.start].count(b"\n")
        raise ConfigError([f"{path}:{line}: is not UTF-8 text: save the file as UTF-8"]) from None


def parse_toml(text: str, path: Path, model: type[S]) -> S:
    """Return the text of a file as a `model`; ConfigError with one line for each mistake."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([f"{path}: is not TOML: {error}"]) from None
    except RecursionError:
        raise ConfigError([f"{path}: is not TOML: its arrays stand too deep in each other"]) from None
    try:
        loaded = model.model_validate(table)
    except ValidationError as error:
        raise ConfigError(
            [_problem(at_line(path, text, e["loc"]), model, e) for e in error.errors()]
        ) from None
    return resolve_paths(loaded, path.parent.resolve())


def at_line(path: Path, text: str, location: Sequence[int | str]) -> str:
    """Return `registry.toml:12`, or the path alone if the line is not to be found."""
    line = line_of(text, _untagged(location))
    return f"{path}:{line}" if line else str(path)


def resolve_paths(settings: S, folder: Path) -> S:
    """Return a copy in which every relative path starts at `folder`."""
    changed = {name: _resolved(getattr(settings, name), folder) for name in type(settings).model_fields}
    return settings.model_copy(update=changed)


def _resolved(value: Any, folder: Path) -> Any:
    if isinstance(value, Path):
        return folder / value.expanduser()
    if isinstance(value, Settings):
        return resolve_paths(value, folder)
    if isinstance(value, list):
        return [_resolved(item, folder) for item in value]
    return value


def _problem(path: str, model: type[BaseModel], error: ErrorDetails) -> str:
    where = dotted(error["loc"])
    if error["type"] == "extra_forbidden":
        known = sorted(known_keys(model, error["loc"][:-1]))
        return f"{path}: {where}: unknown key{nearest(str(error['loc'][-1]), known)}"
    if error["type"] == "missing":
        return f"{path}: {where}: is missing: write {error['loc'][-1]} = …"
    told = error["msg"].removeprefix("Value error, ")
    given = error["input"]
    secret = where.endswith(_SECRETS)  # a log is no place for a key, not even a wrong one
    shown = f" (given: {given!r})" if isinstance(given, str | int | float) and not secret else ""
    return f"{path}: {where or 'the file'}: {told[:1].lower()}{told[1:]}{shown}"


def nearest(word: str, known: Sequence[str]) -> str:
    """Return `; did you mean "x"?`, or what there is to choose from."""
    if close := difflib.get_close_matches(word, known, 1, _NEAR):
        return f'; did you mean "{close[0]}"?'
    return f"; there are: {', '.join(known)}"


def dotted(location: Sequence[int | str]) -> str:
    """Return a key path as a person writes it: sink[0].path; union tags are left out."""
    text = ""
    for part in _untagged(location):
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def _untagged(location: Sequence[int | str]) -> list[int | str]:
    """Leave out the words that pydantic puts behind an index to tell the members of a union apart."""
    return [
        part
        for before, part, after in zip(("", *location), location, (*location[1:], 0), strict=False)
        if not (isinstance(before, int) and isinstance(part, str) and isinstance(after, str))
    ]


def known_keys(model: type[BaseModel], location: Sequence[int | str]) -> set[str]:
    """Return the keys that the table at `location` may have."""
    tables: list[type[BaseModel]] = [model]
    for part in location:
        if isinstance(part, int):
            continue
        inner = [
            t for m in tables if part in m.model_fields for t in _tables(m.model_fields[part].annotation)
        ]
        tables = inner or [m for m in tables if part in _tags(m)] or tables
    return {field.alias or name for table in tables for name, field in table.model_fields.items()}


def _tables(annotation: Any) -> list[type[BaseModel]]:
    """Return the models somewhere inside a type."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [table for inside in typing.get_args(annotation) for table in _tables(inside)]


def _tags(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the values of a model's `type` field, which tell the members of a union apart."""
    field = model.model_fields.get("type")
    return typing.get_args(field.annotation) if field else ()
