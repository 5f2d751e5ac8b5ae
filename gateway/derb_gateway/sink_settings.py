"""The configuration's [[sink]] tables, one class a type."""

from importlib.util import find_spec
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from derb_gateway.connection import Connection, Name, Tls
from derb_gateway.toml_model import Settings, TomlPath

_PARKING_CONTEXT = (
    "https://raw.githubusercontent.com/smart-data-models/dataModel.Parking/master/context.jsonld"
)
_WASTE_CONTEXT = (
    "https://raw.githubusercontent.com/smart-data-models/dataModel.WasteManagement/master/context.jsonld"
)
_CORE_CONTEXT = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context.jsonld"


def _bare_url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("must begin with https:// or http://")
    if "@" in text.split("/")[2]:
        raise ValueError("must not hold a password: give username and password_file, or token_file")
    return text


Url = Annotated[str, AfterValidator(_bare_url)]


class BatchSettings(Settings):
    """When a batch leaves: full, or its first reading has waited long enough; and how fast batches follow each other."""

    batch_size: int = Field(default=200, ge=1, le=10_000)
    batch_age_s: float = Field(default=0.15, ge=0)
    batch_bytes: int = Field(default=1_000_000, ge=1024)
    live_after: int = Field(default=2_000, ge=0)
    max_per_s: float = Field(default=0, ge=0)
    backfill_per_s: float = Field(default=0, ge=0)
    replay_check_s: float = Field(default=30.0, gt=0)


class FileSinkSettings(BatchSettings):
    """NDJSON or Parquet files that rotate, in the order of the store."""

    type: Literal["file"]
    name: Name
    directory: TomlPath
    format: Literal["ndjson", "parquet"] = "ndjson"
    rotate_bytes: int = Field(default=16_777_216, ge=1024)
    keep_files: int = Field(default=0, ge=0)
    retry_base_s: float = Field(default=0.5, gt=0)
    retry_max_s: float = Field(default=30.0, gt=0)
    live_after: Literal[0] = 0  # what makes each reading stand in the files once is that there is one order

    @model_validator(mode="after")
    def _can_be_written(self) -> "FileSinkSettings":
        if self.format == "parquet" and find_spec("pyarrow") is None:
            raise ValueError("format = \"parquet\" needs pyarrow: pip install 'derb[parquet]'")
        return self


class MqttSinkSettings(Connection, BatchSettings):
    """JSON batches to an upstream broker."""

    type: Literal["mqtt"]
    name: Name
    dialect: Literal["derb", "thingsboard"] = "derb"
    topic: str | None = None
    require_subscriber: bool = True

    @model_validator(mode="after")
    def _topic_is_given(self) -> "MqttSinkSettings":
        if self.dialect == "thingsboard" and self.topic is not None:
            raise ValueError("ThingsBoard's gateway API has its own topics: leave topic out")
        return self


class Upstream(BatchSettings):
    """An HTTP upstream: where it is, who we are there, how long it may take."""

    name: Name
    url: Url
    username: str | None = None
    password_file: TomlPath | None = None
    token_file: TomlPath | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    tls: Tls | None = None
    timeout_s: float = Field(default=10.0, gt=0)
    retry_base_s: float = Field(default=0.5, gt=0)
    retry_max_s: float = Field(default=30.0, gt=0)

    @model_validator(mode="after")
    def _one_login(self) -> "Upstream":
        if (self.username is None) != (self.password_file is None):
            raise ValueError("give username and password_file together")
        if self.username is not None and self.token_file is not None:
            raise ValueError("give username and password_file, or token_file, not both")
        return self


class HttpSinkSettings(Upstream):
    """NDJSON by POST."""

    type: Literal["http"]
    compression: Literal["none", "gzip", "zstd"] = "gzip"


class NgsiLdSinkSettings(Upstream):
    """The present of bays, zones and containers in an NGSI-LD context broker."""

    type: Literal["ngsi-ld"]
    tenant: str | None = None
    context: list[Url] = Field(default=[_PARKING_CONTEXT, _WASTE_CONTEXT, _CORE_CONTEXT], min_length=1)


class NatsSinkSettings(BatchSettings):
    """A JetStream stream, one message a reading."""

    type: Literal["nats"]
    name: Name
    servers: list[str] = Field(default=["nats://127.0.0.1:4222"], min_length=1)
    subject: str = Field(default="derb", pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")
    stream: Name | None = None
    credentials_file: TomlPath | None = None
    username: str | None = None
    password_file: TomlPath | None = None
    tls: Tls | None = None
    timeout_s: float = Field(default=10.0, gt=0)
    retry_base_s: float = Field(default=0.5, gt=0)
    retry_max_s: float = Field(default=30.0, gt=0)
    batch_size: int = Field(default=1_000, ge=1, le=10_000)

    @model_validator(mode="after")
    def _one_login(self) -> "NatsSinkSettings":
        if (self.username is None) != (self.password_file is None):
            raise ValueError("give username and password_file together")
        return self


SinkSettings = Annotated[
    FileSinkSettings | MqttSinkSettings | HttpSinkSettings | NgsiLdSinkSettings | NatsSinkSettings,
    Field(discriminator="type"),
]
