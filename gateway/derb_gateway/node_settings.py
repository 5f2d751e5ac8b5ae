"""A node's settings: what there is, what may be changed from afar, and how a change goes over the air."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from derb_gateway.errors import ConfigError
from derb_gateway.toml_model import nearest
from derb_gateway.wire import NumberError, read_svarint, read_varint, write_svarint, write_varint

CONFIG_SECTION = 1
_HIDDEN = "(secret)"

Value = int | str


@dataclass(frozen=True)
class Setting:
    """One row of node_settings.toml. Numbers have `low` and `high`, texts `longest` (in bytes), words `choices`."""

    name: str
    default: Value
    help: str
    low: int = 0
    high: int = 0
    longest: int = 0
    choices: tuple[str, ...] = ()
    unit: str = ""
    remote: int = 0
    secret: bool = False

    def fault(self, value: object) -> str | None:
        """Return why a value does not fit, or None."""
        if self.choices:
            return None if value in self.choices else f"must be one of {', '.join(self.choices)}"
        if self.longest:
            fits = isinstance(value, str) and len(value.encode()) <= self.longest
            return None if fits else f"must be text of at most {self.longest} bytes"
        fits = type(value) is int and self.low <= value <= self.high
        return None if fits else f"must be a whole number from {self.low} to {self.high}"

    def bounds(self) -> str:
        """Return what values there are, for people."""
        if self.choices:
            return ", ".join(self.choices)
        return f"up to {self.longest} bytes" if self.longest else f"{self.low} to {self.high}"

    def shown(self, value: Value) -> Value:
        """Return the value as it may be seen."""
        return _HIDDEN if self.secret else value

    def parse(self, text: str) -> Value:
        """Return the value that a person wrote; ConfigError."""
        value: Value = text
        if not self.choices and not self.longest:
            try:
                value = int(text)
            except ValueError:
                raise ConfigError([f"{self.name}: {self.fault(None)}"]) from None
        if fault := self.fault(value):
            raise ConfigError([f"{self.name}: {fault}"])
        return value


@cache
def node_settings() -> dict[str, Setting]:
    """Return every setting by its name, in the order of the table."""
    text = resources.files("derb_gateway").joinpath("node_settings.toml").read_text(encoding="utf-8")
    rows = tomllib.loads(text)
    return {
        name: Setting(name, **{**row, "choices": tuple(row.get("choices", ()))}) for name, row in rows.items()
    }


def remote_setting(name: str) -> Setting:
    """Return a setting that may be changed from afar; ConfigError that says what there is or why not."""
    setting = node_settings().get(name)
    if setting is None:
        known = [each.name for each in node_settings().values() if each.remote]
        raise ConfigError([f"{name}: there is no such setting{nearest(name, known)}"])
    if not setting.remote:
        raise ConfigError([f"{name}: can be changed over USB only"])
    return setting


def parse_changes(words: list[str]) -> dict[str, Value | None]:
    """Return what NAME=VALUE words ask for; NAME= (None) gives a number back to what was provisioned. ConfigError."""
    changes: dict[str, Value | None] = {}
    problems = []
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            problems.append(f"{name}: write {name}=VALUE, or {name}= to give it back")
            continue
        try:
            setting = remote_setting(name)
            changes[name] = setting.parse(text) if text else None
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return changes


def encode_config(version: int, settings: Mapping[str, Value]) -> bytes:
    """Return the body of section 1; ConfigError if a value does not fit."""
    parts = [write_varint(version)]
    for setting in sorted(map(remote_setting, settings), key=lambda each: each.remote):
        value = settings[setting.name]
        if fault := setting.fault(value):
            raise ConfigError([f"{setting.name}: {fault}"])
        parts.append(bytes([setting.remote]))
        if isinstance(value, int):
            parts.append(write_svarint(value))
        else:
            text = value.encode()
            parts.append(bytes([len(text)]) + text)
    return b"".join(parts)


def decode_config(body: bytes) -> tuple[int, dict[str, Value]]:
    """Return (version, settings) of a section 1; NumberError."""
    numbered = {setting.remote: setting for setting in node_settings().values() if setting.remote}
    version, at = read_varint(body, 0, len(body))
    settings: dict[str, Value] = {}
    while at < len(body):
        setting = numbered.get(body[at])
        if setting is None or setting.name in settings:
            msg = f"field {body[at]} is unknown or there twice"
            raise NumberError(msg)
        if setting.longest:
            end = at + 2 + (body[at + 1] if at + 1 < len(body) else 0)
            if end > len(body) or at + 2 > len(body):
                raise NumberError("a text is cut off")
            settings[setting.name], at = body[at + 2 : end].decode(errors="replace"), end
        else:
            settings[setting.name], at = read_svarint(body, at + 1, len(body))
    return version, settings


def to_json(settings: Mapping[str, Value]) -> str:
    """Return settings as they are stored."""
    return json.dumps(settings, sort_keys=True, separators=(",", ":"))
