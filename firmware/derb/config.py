"""A node's configuration: JSON in NVS, checked field by field before anything uses it."""

import json

from derb.settings import Settings

# Held against gateway/derb_gateway/node_settings.toml by a test: a new setting goes there too, with its help.
# name: (default, lowest, highest) for numbers, (default, longest) for text, (default, choices) for words.
_NUMBERS = {
    "port": (1883, 1, 65535),
    "i2c_scl": (22, 0, 48),
    "i2c_sda": (21, 0, 48),
    "int_pin": (33, -1, 48),
    "trig_pin": (25, 0, 48),
    "echo_pin": (26, 0, 48),
    "ranger_power_pin": (-1, -1, 48),
    "ds18b20_pin": (-1, -1, 48),
    "batt_pin": (-1, -1, 48),
    "batt_ratio_x100": (200, 100, 2000),
    "led_pin": (-1, -1, 48),
    "batt_low_mv": (3300, 0, 20000),
    "radio_min_mv": (3000, 0, 20000),
    "sample_ms": (1000, 250, 30000),
    "wake_s": (300, 5, 86400),
    "pings": (9, 3, 30),
    "report_every": (4, 1, 48),
    "hold": (24, 0, 47),
    "health_every_s": (86400, 60, 604800),
    "awake_ms": (15000, 2000, 120000),
    "episode_s": (90, 10, 600),
    "backoff_max_s": (21600, 60, 86400),
    "lease_s": (21600, 0, 604800),
    "empty_mm": (1500, 100, 8000),
    "full_mm": (250, 0, 7900),
    "floor_pct": (100, 10, 1000),
    "tilt": (0, 0, 1),
    "log": (0, 0, 1),
}
_TEXTS = {
    "board": ("", 32),
    "ssid": ("", 32),
    "psk": ("", 63),
    "broker": ("", 64),
    "user": ("", 64),
    "password": ("", 64),
    "fill_table": ("", 160),
}
_WORDS = {
    "kind": ("parking", ("parking", "level")),
    "ranger": ("hcsr04", ("hcsr04", "a02yyuw", "maxbotix")),
    "shape": ("cone", ("cone", "box")),
    "link": ("wifi", ("wifi", "espnow", "wifi+espnow", "espnow+wifi")),
    "tls": ("off", ("off", "psk", "ca")),
}

# What the gateway may change: the place of a name, from 1, is its number on the wire, for ever. Numbers, and one text.
REMOTE = (
    "wake_s",
    "sample_ms",
    "pings",
    "report_every",
    "hold",
    "health_every_s",
    "awake_ms",
    "episode_s",
    "backoff_max_s",
    "empty_mm",
    "full_mm",
    "floor_pct",
    "broker",
    "port",
    "log",
)

# What a node needs to be heard at all; the rest has defaults that do no harm.
_VITAL = ("kind", "ssid", "psk", "broker", "port", "user", "password", "link", "tls", "log")


class ConfigError(Exception):
    """The configuration cannot be used; the text names every field that is wrong."""


def checked(**settings):
    """Return the Settings, with defaults for what is left out; raise ConfigError for what does not fit."""
    config, problems = Settings(), []
    for name, (default, low, high) in _NUMBERS.items():
        value = settings.pop(name, default)
        if type(value) is not int or not low <= value <= high:
            problems.append("%s must be a whole number from %d to %d" % (name, low, high))
        setattr(config, name, value)
    for name, (default, longest) in _TEXTS.items():
        value = settings.pop(name, default)
        if type(value) is not str or len(value.encode()) > longest:
            problems.append("%s must be text of at most %d bytes" % (name, longest))
        setattr(config, name, value)
    for name, (default, choices) in _WORDS.items():
        value = settings.pop(name, default)
        if value not in choices:
            problems.append("%s must be one of %s" % (name, ", ".join(choices)))
        setattr(config, name, value)
    problems.extend("there is no setting %s" % name for name in settings)
    if not problems and config.full_mm >= config.empty_mm:
        problems.append("full_mm must be less than empty_mm")
    if not problems and config.fill_table:
        problems.extend(_table_faults(config.fill_table))
    if problems:
        raise ConfigError("; ".join(sorted(problems)))
    return config


def _table_faults(text):
    from derb.fill_shape import Table, points

    try:
        Table(points(text))
    except ValueError as e:
        return ["fill_table: %s" % e]
    return []


def is_text(name):
    """Return whether the value of this setting is text."""
    return name in _TEXTS


def parse(raw):
    """Return the settings in the JSON bytes `raw` as a dict, not yet examined; raise ConfigError."""
    try:
        settings = json.loads(raw)
    except ValueError:
        raise ConfigError("not JSON")
    if not isinstance(settings, dict):
        raise ConfigError("not a JSON object")
    return settings


def load(raw):
    """Return the Settings in the JSON bytes `raw`; raise ConfigError with all that is wrong."""
    return checked(**parse(raw))


def vital(raw):
    """Return Settings of what in the JSON bytes `raw` a node needs to be heard, as far as it is sound; never fails."""
    try:
        settings = json.loads(raw)
    except ValueError:
        settings = None
    sound = {}
    for name in _VITAL:
        if isinstance(settings, dict) and name in settings:
            try:
                checked(**{name: settings[name]})
            except ConfigError:
                continue  # this one does without; it was counted when the whole was refused
            sound[name] = settings[name]
    return checked(**sound)
