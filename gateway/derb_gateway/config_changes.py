"""What is different in a configuration that was read again: what is taken at once, and what only at the next start. Pure."""

from typing import Any, NamedTuple

from derb_gateway.config import Config, SinkSettings, StoreSettings

_AT_ONCE = {"registry", "stop_deadline_s", "stall_after_s", "sink", "log.level"} | {
    f"store.{name}" for name in StoreSettings.model_fields if name != "path"
}
_TABLES = ("broker", "store", "log")


class Changes(NamedTuple):
    """`config`: what is in force from now on, with what waits for a start as it was; keys as in the file."""

    config: Config
    at_once: list[str]
    at_start: list[str]
    sinks_gone: list[str]
    sinks_set: list[SinkSettings]


def changes(old: Config, new: Config) -> Changes:
    """Compare two configurations; `sinks_set` are those that are new or other than before."""
    differ = [key for key in _keys() if _value(old, key) != _value(new, key)]
    at_once = [key for key in differ if key in _AT_ONCE]
    known = {sink.name: sink for sink in old.sink}
    return Changes(
        _mixed(old, new, at_once),
        at_once,
        [key for key in differ if key not in _AT_ONCE],
        [name for name in known if name not in {sink.name for sink in new.sink}],
        [sink for sink in new.sink if known.get(sink.name) != sink],
    )


def _keys() -> list[str]:
    fields = Config.model_fields
    plain = [name for name in fields if name not in _TABLES]
    return plain + [f"{t}.{name}" for t in _TABLES for name in type(fields[t].default).model_fields]


def _value(config: Config, key: str) -> Any:
    table, _, name = key.rpartition(".")
    return getattr(getattr(config, table) if table else config, name)


def _mixed(old: Config, new: Config, keys: list[str]) -> Config:
    """Return the old configuration with the new values of some keys."""
    update: dict[str, Any] = {key: _value(new, key) for key in keys if "." not in key}
    for table in _TABLES:
        inside = {k.partition(".")[2]: _value(new, k) for k in keys if k.startswith(f"{table}.")}
        update[table] = getattr(old, table).model_copy(update=inside)
    return old.model_copy(update=update)
