"""Batches to an upstream broker: delivered only when its PUBACK says so."""

import json
from pathlib import Path

import aiomqtt
import pytest
from derb_gateway.config import MqttSinkSettings
from derb_gateway.errors import SinkRefused, SinkRetry
from derb_gateway.sinks.base import Batch
from derb_gateway.sinks.mqtt_sink import MqttSink
from gateway.kit import NODE, OTHER, Mosquitto, free_port, mosquitto

BATCH = Batch(5, 6, [{"key": "a:1:0"}, {"key": "a:1:1"}])


def sink(port: int, **settings: object) -> MqttSink:
    values = {"type": "mqtt", "name": "city", "port": port, "timeout_s": 2.0, **settings}
    return MqttSink(MqttSinkSettings.model_validate(values), "casa")


async def test_a_batch_with_its_name(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        async with aiomqtt.Client("127.0.0.1", broker.port) as city:
            await city.subscribe("derb/casa/readings", 1)
            upstream = sink(broker.port)
            assert await upstream.open("kept") == "kept"
            assert await upstream.deliver(BATCH, "kept") == "kept"
            message = await anext(aiter(city.messages))
            await upstream.close()
    assert message.qos == 1
    assert json.loads(bytes(message.payload)) == {
        "batch": "city:5-6",
        "site": "casa",
        "lane": "live",
        "readings": BATCH.readings,
    }


async def test_what_nobody_subscribes_to_is_not_delivered(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        careful, careless = sink(broker.port), sink(broker.port, require_subscriber=False)
        with pytest.raises(SinkRetry, match="nobody subscribes"):
            await careful.deliver(BATCH, None)
        await careful.close()
        await careless.deliver(BATCH, None)
        await careless.close()


async def test_nobody_there() -> None:
    with pytest.raises(SinkRetry):
        await sink(free_port()).deliver(BATCH, None)


async def test_an_upstream_that_comes_back(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    broker.start()
    upstream = sink(broker.port, require_subscriber=False)
    await upstream.deliver(BATCH, None)
    broker.stop(kill=True)
    with pytest.raises(SinkRetry):
        await upstream.deliver(BATCH, None)
    broker.start()
    await upstream.deliver(BATCH, None)
    await upstream.close()
    broker.stop()


async def test_not_authorised_is_worth_another_try_and_nonsense_is_not(tmp_path: Path) -> None:
    upstream = sink(1)
    with pytest.raises(SinkRetry, match="0x87"):
        upstream._judge("t", 0x87)
    with pytest.raises(SinkRefused):
        upstream._judge("t", 0x95)


PLACED = [
    {
        "key": "a:1:0",
        "node": NODE,
        "kind": "parking",
        "bay": "maarif-001",
        "zone": "maarif",
        "observed_at": "2026-11-28T06:00:00.250Z",
        "time_quality": "exact",
        "state": "occupied",
        "confidence": 95,
        "previous_state_s": None,
    },
    {
        "key": "b:1:0",
        "node": OTHER,
        "kind": "level",
        "container": "c-1",
        "zone": "maarif",
        "observed_at": "2026-11-28T06:00:01.000Z",
        "time_quality": "exact",
        "status": "no_echo",
        "distance_mm": None,
        "level_pct": None,
    },
]


async def test_thingsboard_is_told_of_a_device_once_a_connection(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        async with aiomqtt.Client("127.0.0.1", broker.port) as city:
            await city.subscribe("v1/gateway/#", 1)
            upstream = sink(broker.port, dialect="thingsboard")
            for first in (1, 3):
                await upstream.deliver(Batch(first, first + 1, PLACED), None)
            got = [await anext(aiter(city.messages)) for _ in range(6)]
            await upstream.close()
    said = [(str(message.topic), json.loads(bytes(message.payload))) for message in got]
    assert said[0] == ("v1/gateway/connect", {"device": "maarif-001", "type": "parking bay"})
    assert said[1] == ("v1/gateway/attributes", {"maarif-001": {"node": NODE, "zone": "maarif"}})
    assert [topic for topic, _ in said[2:]] == [
        "v1/gateway/connect",
        "v1/gateway/attributes",
        "v1/gateway/telemetry",
        "v1/gateway/telemetry",
    ]
    values = {"state": "occupied", "confidence": 95, "occupied": True, "time_quality": "exact"}
    assert said[4][1] == {
        "maarif-001": [{"ts": 1795845600250, "values": values}],
        "c-1": [{"ts": 1795845601000, "values": {"level_status": "no_echo", "time_quality": "exact"}}],
    }
    assert said[5] == said[4], "a repeat is the same message"
