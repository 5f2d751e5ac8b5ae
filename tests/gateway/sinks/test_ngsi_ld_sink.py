"""The present in a context broker: valid entities, one a place, and never the past over the present."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from derb_gateway.errors import SinkPartly, SinkRefused, SinkRetry
from derb_gateway.registry import Bay, Container, Registry
from derb_gateway.sink_settings import NgsiLdSinkSettings
from derb_gateway.sinks.base import Batch
from derb_gateway.sinks.ngsi_ld_sink import NgsiLdSink
from gateway.fake_upstream import Asked, FakeUpstream, fake_upstream, http, http_json
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry as Schemas
from referencing import Resource

FOLDER = Path(__file__).parents[2] / "vectors" / "smart-data-models"
COMMON = "https://smart-data-models.github.io/data-models/common-schema.json"
BAYS = {
    f"{i:012x}": Bay(id=name, zone="maarif", lat=33.58, lon=-7.62)
    for i, name in enumerate(("001", "002", "Rue d'Alger, 3 é"))
}
BIN = Container(id="b17", zone="maarif", lat=33.58, lon=-7.62, empty_mm=1500, full_mm=250)
REGISTRY = Registry({}, BAYS, {"b" * 12: BIN})
PLACE = {node: {"bay": bay.id} for node, bay in BAYS.items()} | {"b" * 12: {"container": BIN.id}}
A, B, C, CONTAINER = (*BAYS, "b" * 12)
SPOT_A, SPOT_B = "urn:ngsi-ld:ParkingSpot:casa:001", "urn:ngsi-ld:ParkingSpot:casa:002"
ZONE, BIN_ID = "urn:ngsi-ld:OnStreetParking:casa:maarif", "urn:ngsi-ld:WasteContainer:casa:b17"
BAD = {"type": "https://uri.etsi.org/ngsi-ld/errors/BadRequestData", "title": "Bad"}


def read(node: str, seq: int, kind: str, at: str = "06:00:00", **body: object) -> dict[str, Any]:
    return {
        "key": f"{node}:1:{seq}",
        "node": node,
        "boot": 1,
        "seq": seq,
        "kind": kind,
        "observed_at": f"2026-11-28T{at}.000Z",
        **PLACE.get(node, {}),
        **body,
    }


def parked(node: str, seq: int, state: str, at: str = "06:00:00") -> dict[str, Any]:
    return read(node, seq, "parking", at, state=state)


def filled(seq: int, level_pct: float | None, at: str = "06:00:00") -> dict[str, Any]:
    return read(CONTAINER, seq, "level", at, status="ok", distance_mm=900, level_pct=level_pct)


def alarmed(seq: int, alarm: str, at: str = "06:00:00") -> dict[str, Any]:
    return read(CONTAINER, seq, "alarm", at, alarm=alarm, value=1)


class City:
    """A sink with its broker, and what the broker then shows."""

    def __init__(self, upstream: FakeUpstream, folder: Path) -> None:
        self.upstream = upstream
        self.folder = folder
        self.make()

    async def restart(self, **more: object) -> None:
        await self.sink.close()
        self.make(**more)

    def make(self, **more: object) -> None:
        values = {
            "type": "ngsi-ld",
            "name": "fiware",
            "url": f"http://127.0.0.1:{self.upstream.port}/",
            **more,
        }
        settings = NgsiLdSinkSettings.model_validate({"timeout_s": 2.0, **values})
        self.sink = NgsiLdSink(settings, "casa", lambda: REGISTRY, self.folder / "picture")

    async def tell(self, *readings: dict[str, Any], lane: Any = "live") -> None:
        await self.sink.open(None)
        assert await self.sink.deliver(Batch(1, len(readings), readings, lane), "kept") == "kept"

    def sent(self, place: int = -1) -> dict[str, dict[str, Any]]:
        return {entity["id"]: entity for entity in json.loads(self.upstream.asked[place].body)}

    def shown(self) -> dict[str, dict[str, Any]]:
        """What a broker holds that believes whatever comes last, attribute by attribute."""
        held: dict[str, dict[str, Any]] = {}
        for asked in self.upstream.asked:
            for entity in json.loads(asked.body):
                held.setdefault(entity["id"], {}).update(key_values(entity))
        return held


@pytest_asyncio.fixture
async def city(tmp_path: Path) -> AsyncIterator[City]:
    async with fake_upstream() as upstream:
        city = City(upstream, tmp_path)
        yield city
        await city.sink.close()


def key_values(entity: dict[str, Any]) -> dict[str, Any]:
    """The form that the schemas describe."""
    simple = {"id": entity["id"], "type": entity["type"]}
    for name, attribute in entity.items():
        if isinstance(attribute, dict):
            simple[name] = attribute["object"] if attribute["type"] == "Relationship" else attribute["value"]
    return simple


def schema_of(kind: str) -> Draft202012Validator:
    common = Resource.from_contents(json.loads((FOLDER / "common-schema.json").read_text()))
    schemas: Schemas[Any] = Schemas().with_resource(COMMON, common)
    schema = json.loads((FOLDER / f"{kind}.json").read_text())
    return Draft202012Validator(schema, registry=schemas, format_checker=Draft202012Validator.FORMAT_CHECKER)


def validate(entity: dict[str, Any]) -> None:
    schema_of(entity["type"]).validate(key_values(entity))


async def test_every_entity_is_valid_against_its_model(city: City) -> None:
    states = ("free", "occupied", "unknown", "closed")
    for seq, state in enumerate(states):
        await city.tell(*(parked(node, seq, state) for node in (A, B, C)))
    await city.tell(filled(0, 0.0), filled(1, 100.0), filled(2, 45.4))
    for seq, alarm in enumerate(("fire", "tilt", "collected", "full"), 10):
        await city.tell(alarmed(seq, alarm))
    entities = [entity for asked in city.upstream.asked for entity in json.loads(asked.body)]
    assert {entity["type"] for entity in entities} == {"ParkingSpot", "OnStreetParking", "WasteContainer"}
    for entity in entities:
        validate(entity)


def test_the_schemas_do_refuse() -> None:
    spot = {"id": SPOT_A, "type": "ParkingSpot", "status": {"type": "Property", "value": "free"}}
    with pytest.raises(ValidationError):
        validate(spot)


async def test_the_request_is_a_batch_upsert_that_leaves_other_attributes_alone(city: City) -> None:
    await city.restart(tenant="casablanca")
    await city.tell(parked(A, 1, "free"))
    (asked,) = city.upstream.asked
    assert (asked.method, asked.path) == ("POST", "/ngsi-ld/v1/entityOperations/upsert?options=update")
    assert asked.headers["content-type"] == "application/ld+json"
    assert asked.headers["ngsild-tenant"] == "casablanca"
    spot = city.sent()[SPOT_A]
    assert spot["status"] == {"type": "Property", "value": "free", "observedAt": "2026-11-28T06:00:00.000Z"}
    assert spot["location"]["value"]["coordinates"] == [-7.62, 33.58]
    assert spot["refParkingSite"] == {"type": "Relationship", "object": ZONE}
    assert len(spot["@context"]) == 3


async def test_one_entity_a_place_with_the_newest(city: City) -> None:
    await city.tell(
        parked(A, 1, "free"), parked(A, 3, "occupied", "06:02:00"), parked(A, 2, "free", "06:01:00")
    )
    assert len(json.loads(city.upstream.asked[0].body)) == 2
    assert city.sent()[SPOT_A]["status"]["value"] == "occupied"


async def test_a_zone_has_its_counts(city: City) -> None:
    await city.tell(parked(A, 1, "free"), parked(B, 1, "occupied"))
    zone = key_values(city.sent()[ZONE])
    counts = [
        zone[f"{word}Number"] for word in ("totalSpot", "availableSpot", "occupiedSpot", "outOfServiceSlot")
    ]
    assert counts == [3, 1, 1, 0]
    await city.tell(parked(B, 2, "free", "06:01:00"))
    await city.tell(parked(C, 1, "closed", "06:02:00"))
    zone = key_values(city.sent()[ZONE])
    assert [zone[f"{word}Number"] for word in ("availableSpot", "outOfServiceSlot")] == [2, 1]
    assert zone["observationDateTime"] == "2026-11-28T06:02:00.000Z"


async def test_a_bay_that_is_closed_and_opened_by_the_gateways_own_word(city: City) -> None:
    def said(state: str, seq: int, at: str) -> dict[str, Any]:
        return {**read("bay:001", seq, "place", at, state=state, why="works"), "bay": "001"}

    await city.tell(parked(A, 1, "free"), said("closed", 700, "06:10:00"))
    spot, zone = city.sent()[SPOT_A], key_values(city.sent()[ZONE])
    assert spot["status"]["value"] == "closed"
    assert "refDevice" not in spot  # no device says so
    assert [zone[f"{word}Number"] for word in ("availableSpot", "outOfServiceSlot")] == [0, 1]
    validate(spot)
    await city.tell(parked(A, 2, "free", "06:05:00"), lane="backfill")  # from before it was closed
    await city.tell(parked(A, 3, "closed", "06:20:00"))
    assert city.shown()[SPOT_A]["status"] == "closed"
    await city.tell(said("free", 4200, "07:00:00"))
    assert city.shown()[SPOT_A]["status"] == "free"
    await city.tell(said("occupied", 4201, "07:00:00"))  # mended, by what came late
    assert city.shown()[SPOT_A]["status"] == "occupied"
    await city.tell(parked(A, 4, "free", "07:30:00"))
    assert city.shown()[SPOT_A]["status"] == "free"


async def test_the_past_never_overwrites_the_present_not_even_after_a_restart(city: City) -> None:
    await city.tell(parked(A, 50, "occupied", "07:00:00"), parked(B, 9, "free", "07:00:00"))
    await city.restart()
    await city.tell(parked(A, 3, "free", "05:00:00"), lane="backfill")
    assert len(city.upstream.asked) == 1, "there was nothing to tell"
    await city.tell(parked(A, 4, "free", "05:01:00"), parked(B, 10, "occupied", "07:01:00"), lane="backfill")
    assert SPOT_A not in city.sent()
    assert [city.shown()[spot]["status"] for spot in (SPOT_A, SPOT_B)] == ["occupied", "occupied"]


async def test_what_may_have_arrived_counts_as_told(city: City) -> None:
    """Killed in the middle of a request, the gateway cannot know whether the broker has it."""
    city.upstream.script = [b"HTTP/1.1 204"]
    with pytest.raises(SinkRetry):
        await city.tell(parked(A, 50, "occupied", "07:00:00"))
    await city.restart()
    await city.tell(parked(A, 3, "free", "05:00:00"), lane="backfill")
    await city.tell(parked(A, 50, "occupied", "07:00:00"))
    assert [SPOT_A in city.sent(i) for i in range(len(city.upstream.asked))] == [True, True]
    assert city.shown()[SPOT_A]["status"] == "occupied"


async def test_a_container(city: City) -> None:
    await city.tell(filled(1, 45.4))
    assert key_values(city.sent()[BIN_ID])["fillingLevel"] == 0.454
    assert city.shown()[BIN_ID]["status"] == "ok"
    await city.tell(alarmed(2, "fire", "06:10:00"))
    await city.tell(filled(3, 50.0, "06:20:00"))
    assert (city.shown()[BIN_ID]["status"], city.shown()[BIN_ID]["fillingLevel"]) == ("burning", 0.5)
    await city.tell(filled(4, 50.0, "07:10:01"))
    assert city.shown()[BIN_ID]["status"] == "ok"
    await city.tell(alarmed(5, "collected", "08:00:00"))
    assert city.shown()[BIN_ID]["dateLastEmptying"] == "2026-11-28T08:00:00.000Z"


async def test_a_container_that_is_closed_is_unknown_until_it_is_open_and_its_node_has_spoken(
    city: City,
) -> None:
    def said(state: str, seq: int, at: str) -> dict[str, Any]:
        return {**read("container:b17", seq, "place", at, state=state, why="works"), "container": BIN.id}

    def status() -> object:
        validate(city.sent()[BIN_ID])
        return city.shown()[BIN_ID]["status"]

    await city.tell(filled(1, 45.4), said("closed", 700, "06:10:00"))
    assert status() == "unknown"
    await city.tell({**filled(2, 50.0, "06:20:00"), "closed": True})
    assert (status(), city.shown()[BIN_ID]["fillingLevel"]) == ("unknown", 0.5)
    await city.tell(alarmed(3, "fire", "06:30:00"))
    await city.tell({**filled(4, 50.0, "06:40:00"), "closed": True}, said("closed", 701, "06:41:00"))
    assert status() == "burning"
    await city.tell({**filled(5, 50.0, "07:40:00"), "closed": True})
    assert status() == "unknown"
    await city.tell(said("open", 702, "07:50:00"), filled(6, 51.0, "07:55:00"))
    assert status() == "ok"


async def test_what_says_nothing_of_a_place_is_passed_over(city: City) -> None:
    stranger = parked("f" * 12, 1, "free")
    await city.tell(
        stranger, read(A, 2, "health", fields={}), read(A, 3, "answer", command=1), filled(4, None)
    )
    await city.tell(alarmed(5, "readings_shed"), read(A, 6, "alarm", alarm="fire", value=1), alarmed(7, "77"))
    assert city.upstream.asked == []


# Answers


def failing(*entities: str, error: object = None, status: int = 207) -> Callable[[Asked], bytes]:
    def answer(asked: Asked) -> bytes:
        named = [e["id"] for e in json.loads(asked.body) if e["id"] in entities]
        errors = [{"entityId": name, "error": error or BAD} for name in named]
        return http_json(status, {"success": [], "errors": errors}) if errors else http(204)

    return answer


@pytest.mark.parametrize(
    "answer", [http(204), http(201, b'["x"]'), http_json(207, {"success": ["x"], "errors": []})]
)
async def test_brokers_say_yes_in_many_ways(city: City, answer: bytes) -> None:
    city.upstream.script = [answer]
    await city.tell(parked(A, 1, "free"))


async def test_a_refused_entity_is_its_readings_matter_alone(city: City) -> None:
    city.upstream.otherwise = failing(SPOT_A)
    with pytest.raises(SinkPartly) as caught:
        await city.tell(parked(B, 1, "free"), parked(A, 1, "free"), parked(A, 2, "occupied", "06:01:00"))
    assert (caught.value.refused, caught.value.again) == ({2: "Bad"}, {})


async def test_an_entity_that_failed_for_now_is_told_again(city: City) -> None:
    city.upstream.otherwise = failing(SPOT_A, error={"type": "InternalError", "title": "Oops"})
    with pytest.raises(SinkPartly) as caught:
        await city.tell(parked(B, 1, "free"), parked(A, 1, "free"))
    assert (caught.value.refused, caught.value.again) == ({}, {1: "Oops"})


async def test_a_zone_that_failed_is_no_readings_fault_and_goes_again(
    city: City, caplog: pytest.LogCaptureFixture
) -> None:
    city.upstream.otherwise = failing(ZONE)
    await city.tell(parked(A, 1, "free"))
    assert "zones not taken" in caplog.text
    city.upstream.otherwise = lambda _: http(204)
    await city.tell(filled(1, 50.0))
    assert set(city.sent()) == {ZONE, BIN_ID}
    await city.tell(filled(2, 51.0, "06:01:00"))
    assert set(city.sent()) == {BIN_ID}


async def test_a_207_that_names_nobody_is_halved_and_then_believed(
    city: City, caplog: pytest.LogCaptureFixture
) -> None:
    city.upstream.otherwise = lambda _: http(207)
    with pytest.raises(SinkRefused):
        await city.tell(parked(A, 1, "free"), parked(B, 1, "free"))
    await city.tell(parked(A, 1, "free"))
    assert "taken as done" in caplog.text


async def test_an_error_about_an_entity_that_was_not_sent_is_not_believed_to_be_nothing(city: City) -> None:
    city.upstream.otherwise = lambda _: http_json(207, {"errors": [{"entityId": "urn:other", "error": BAD}]})
    with pytest.raises(SinkRefused):
        await city.tell(parked(A, 1, "free"))


async def test_a_bare_400_is_the_batch(city: City) -> None:
    city.upstream.script = [http(400, b"Duplicated entities")]
    with pytest.raises(SinkRefused, match="Duplicated"):
        await city.tell(parked(A, 1, "free"), parked(B, 1, "free"))
