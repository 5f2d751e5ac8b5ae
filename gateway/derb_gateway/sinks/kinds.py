"""Which class stands behind which `type` of the configuration. A sink's library is loaded only where the sink is used."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from derb_gateway.registry import Registry
from derb_gateway.sink_settings import (
    FileSinkSettings,
    HttpSinkSettings,
    MqttSinkSettings,
    NgsiLdSinkSettings,
    SinkSettings,
)
from derb_gateway.sinks.base import Sink


class SinkSurroundings(NamedTuple):
    """What a sink may need of the gateway: its area's name, the store's path, the registry of the moment."""

    site: str
    store: Path
    registry: Callable[[], Registry]


def make_sink(settings: SinkSettings, around: SinkSurroundings) -> Sink:
    """Return the sink that a [[sink]] table asks for."""
    if isinstance(settings, FileSinkSettings):
        from derb_gateway.sinks.file_sink import FileSink
        from derb_gateway.sinks.parquet_file import pack

        return FileSink(
            settings.directory,
            rotate_bytes=settings.rotate_bytes,
            keep_files=settings.keep_files,
            pack=pack if settings.format == "parquet" else None,
        )
    if isinstance(settings, MqttSinkSettings):
        from derb_gateway.sinks.mqtt_sink import MqttSink

        return MqttSink(settings, around.site)
    if isinstance(settings, HttpSinkSettings):
        from derb_gateway.sinks.http_sink import HttpSink

        return HttpSink(settings, around.site)
    if isinstance(settings, NgsiLdSinkSettings):
        from derb_gateway.sinks.ngsi_ld_sink import NgsiLdSink
        from derb_gateway.sinks.picture import picture_path

        return NgsiLdSink(settings, around.site, around.registry, picture_path(around.store, settings.name))
    from derb_gateway.sinks.nats_sink import NatsSink

    return NatsSink(settings, around.site)
