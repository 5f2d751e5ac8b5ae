"""The gateway's configuration: one TOML file, strict, all mistakes at once."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from derb_gateway.connection import Connection as Connection
from derb_gateway.connection import Name, Port
from derb_gateway.registry import NodeId
from derb_gateway.sink_settings import FileSinkSettings as FileSinkSettings
from derb_gateway.sink_settings import MqttSinkSettings as MqttSinkSettings
from derb_gateway.sink_settings import SinkSettings as SinkSettings
from derb_gateway.toml_model import Settings, TomlPath, load_toml


class BrokerSettings(Connection):
    """The street's broker; with `manage` the gateway starts it as its child."""

    receive_maximum: int = Field(default=500, ge=1, le=65535)
    session_expiry_s: int = Field(default=60, ge=1, le=7 * 86400)
    fence_s: float = Field(default=5.0, ge=0.2)
    only_registered: bool = False
    manage: bool = False
    engine: Literal["auto", "mosquitto", "amqtt"] = "auto"
    bind: str = "127.0.0.1"
    directory: TomlPath = Path("broker")
    password_list: TomlPath | None = None
    psk_port: Port | None = None
    psk_bind: str = "0.0.0.0"  # noqa: S104 - it is there for nodes, and takes nobody without a key
    max_queued_messages: int = Field(default=20_000, ge=1)
    max_packet_bytes: int = Field(default=1_048_576, ge=1024)
    autosave_interval_s: int = Field(default=300, ge=1)
    autosave_on_changes: bool = False

    @model_validator(mode="after")
    def _psk_is_ours(self) -> "BrokerSettings":
        if self.psk_port is not None and not self.manage:
            raise ValueError("psk_port is for a broker that the gateway starts: it needs manage = true")
        if self.psk_port == self.port:
            raise ValueError("psk_port and port are two ports")
        return self


class StoreSettings(Settings):
    """The one file that everything is kept in."""

    path: TomlPath = Path("derb.sqlite3")
    keep_readings: int = Field(default=100_000, ge=0)
    budget_bytes: int = Field(default=1_073_741_824, ge=1_048_576)
    quarantine_rows: int = Field(default=10_000, ge=1)
    quarantine_bytes: int = Field(default=4_194_304, ge=1024)
    waiting_nodes: int = Field(default=1_000, ge=1)
    gather_ms: int = Field(default=0, ge=0, le=1000)


class RelaySettings(Settings):
    """A relay on USB: which port it is at, and which relay it must be."""

    name: Name
    usb: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{4}:[0-9a-fA-F]{4}$")
    serial: str | None = None
    port: TomlPath | None = None
    id: NodeId | None = None
    channel: int | None = Field(default=None, ge=1, le=13)
    baud: int = Field(default=115_200, ge=9_600, le=4_000_000)

    @model_validator(mode="after")
    def _one_place(self) -> "RelaySettings":
        if self.port is not None and (self.usb is not None or self.serial is not None):
            raise ValueError("give port, or usb and serial, not both")
        return self

    def usb_numbers(self) -> tuple[int, int]:
        """Return vendor and product of `usb`, which must be there."""
        vendor, _, product = (self.usb or "").partition(":")
        return int(vendor, 16), int(product, 16)


class LogSettings(Settings):
    """`auto` is text on a terminal and JSON elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "text", "json"] = "auto"


class HttpSettings(Settings):
    """The HTTP door; it says how the gateway fares, to whoever can reach it."""

    bind: str = "127.0.0.1"
    port: Port = 8420


class Config(Settings):
    """The whole configuration. Relative paths start at the file's own folder."""

    site: Name
    registry: TomlPath
    stop_deadline_s: float = Field(default=10.0, gt=0)
    stall_after_s: float = Field(default=60.0, ge=1)
    broker: BrokerSettings = BrokerSettings()
    store: StoreSettings = StoreSettings()
    sink: list[SinkSettings] = Field(default_factory=list)
    relay: list[RelaySettings] = Field(default_factory=list)
    log: LogSettings = LogSettings()
    http: HttpSettings | None = None

    @model_validator(mode="after")
    def _names_differ(self) -> "Config":
        for what, names in (
            ("sinks", [sink.name for sink in self.sink]),
            ("relays", [relay.name for relay in self.relay]),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                msg = f"two {what} have the name {twice[0]!r}"
                raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _folders_differ(self) -> "Config":
        folders = [sink.directory for sink in self.sink if sink.type == "file"]
        if twice := sorted({folder for folder in folders if folders.count(folder) > 1}):
            msg = f"two sinks write into {twice[0]}: each would spoil the other's files"
            raise ValueError(msg)
        return self


def load_config(path: Path) -> Config:
    """Return the configuration in a TOML file; ConfigError with every mistake in it."""
    return load_toml(path, Config)
