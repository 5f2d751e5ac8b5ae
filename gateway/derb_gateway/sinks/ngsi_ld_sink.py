"""The present of bays, zones and containers for an NGSI-LD context broker, by batch upsert.

A broker shows what it was told last, whatever its time: so it is told the newest only, once a place and request. Readings
that say nothing of a place, and those that are the past already, are passed over; history is another sink's matter.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from derb_gateway.errors import SinkPartly, SinkRefused
from derb_gateway.place_reports import CLOSED
from derb_gateway.registry import Bay, Registry
from derb_gateway.sink_settings import NgsiLdSinkSettings
from derb_gateway.sinks.base import Batch
from derb_gateway.sinks.entities import Entity, on_street_parking, parking_spot, urn, waste_container
from derb_gateway.sinks.http_upstream import HttpUpstream
from derb_gateway.sinks.ngsi_answers import Failure, failures
from derb_gateway.sinks.picture import Key, Picture, Told

log = logging.getLogger(__name__)

_UPSERT = "/ngsi-ld/v1/entityOperations/upsert?options=update"
_STATUS_OF_ALARM = {"fire": "burning", "tilt": "dropped", "collected": "ok"}
_ALARMED = {"burning", "dropped"}
# No node says that a fire is out; a level that is measured again does, after this. Nor is `ok` said more often.
_STANDS = timedelta(hours=1)


class NgsiLdSink:
    """One broker and tenant."""

    def __init__(
        self, settings: NgsiLdSinkSettings, site: str, registry: Callable[[], Registry], picture: Path
    ) -> None:
        """`picture`: where to keep what the broker was told."""
        self._settings = settings
        self._site = site
        self._registry = registry
        self._picture = Picture(picture)
        self._upstream = HttpUpstream(settings)
        self._stale_zones: set[str] = set()

    async def open(self, state: str | None) -> str | None:
        """Read what the broker was told; StoreError."""
        await asyncio.to_thread(self._picture.load)
        return state

    async def deliver(self, batch: Batch, state: str | None) -> str | None:
        """Tell the broker what is new. SinkRetry, SinkPartly, SinkRefused, StoreError."""
        registry = self._registry()
        told, place_of = self._news(batch)
        await asyncio.to_thread(self._picture.save, told)
        entities = {entity["id"]: entity for entity in self._entities(told, registry)}
        if entities:
            answer = await self._upstream.post(
                self._settings.url.rstrip("/") + _UPSERT, *self._request(entities)
            )
            failed = failures(answer.status, answer.body)
            before, self._stale_zones = self._stale_zones, set()
            self._judge(failed, entities, place_of, len(batch.readings))
            if self._stale_zones - before:
                log.warning(
                    "zones not taken", extra={"sink": self._settings.name, "zones": sorted(self._stale_zones)}
                )
        return state

    async def close(self) -> None:
        """Let go of the connections."""
        await self._upstream.close()

    def _news(self, batch: Batch) -> tuple[dict[Key, Told], dict[str, set[int]]]:
        """Return what the batch says that is not the past, and which readings stand behind which entity."""
        told: dict[Key, Told] = {}
        source: dict[Key, int] = {}
        for i, reading in enumerate(batch.readings):
            place = self._place(reading)
            for attribute, value in self._says(place, reading, told) if place else ():
                key, new = (place, attribute), Told.of(value, reading)
                known = told.get(key) or self._picture.get(*key)
                if known is None or not new.is_older_than(known):
                    told[key], source[key] = new, i
        place_of: dict[str, set[int]] = {}
        for (place, _), i in source.items():
            place_of.setdefault(place, set()).add(i)
        return told, place_of

    def _place(self, reading: Mapping[str, Any]) -> str:
        """Return the id of the entity that a reading speaks of, nothing if it has no place."""
        if "bay" in reading:
            return urn("ParkingSpot", self._site, reading["bay"])
        return urn("WasteContainer", self._site, reading["container"]) if "container" in reading else ""

    def _says(
        self, place: str, reading: Mapping[str, Any], told: Mapping[Key, Told]
    ) -> Iterator[tuple[str, object]]:
        """Yield the attributes that a reading gives its place."""
        kind = reading["kind"]
        if kind in ("parking", "place") and ":ParkingSpot:" in place:
            yield "status", reading["state"]
        elif kind == "level" and reading.get("level_pct") is not None:
            yield "fillingLevel", round(reading["level_pct"] / 100, 4)
            yield from self._calm(place, reading, told)
        elif kind == "place" and ":WasteContainer:" in place and reading["state"] == CLOSED:
            yield from self._calm(place, {**reading, "closed": True}, told)
        elif kind == "alarm" and ":WasteContainer:" in place and reading["alarm"] in _STATUS_OF_ALARM:
            yield "status", _STATUS_OF_ALARM[reading["alarm"]]
            if reading["alarm"] == "collected":
                yield "dateLastEmptying", reading["observed_at"]

    def _calm(
        self, place: str, reading: Mapping[str, Any], told: Mapping[Key, Told]
    ) -> Iterator[tuple[str, str]]:
        """Yield the status of a container while nothing is the matter; not over an alarm that still stands, nor without end."""
        calm = Told.of("unknown" if reading.get("closed") else "ok", reading)
        known = told.get((place, "status")) or self._picture.get(place, "status")
        another = known is not None and known.value != calm.value and known.value not in _ALARMED
        if known is None or another or calm.at() - known.at() > _STANDS:
            yield "status", calm.value

    def _entities(self, told: Mapping[Key, Told], registry: Registry) -> Iterator[Entity]:
        attributes: dict[str, dict[str, Told]] = {}
        for (place, attribute), each in told.items():
            attributes.setdefault(place, {})[attribute] = each
        zones = set(self._stale_zones)
        for bay in registry.watched_bays():
            if mine := attributes.get(urn("ParkingSpot", self._site, bay.id)):
                zones.add(bay.zone)
                yield parking_spot(bay, self._site, mine)
        for container in registry.watched_containers():
            if mine := attributes.get(urn("WasteContainer", self._site, container.id)):
                yield waste_container(container, self._site, mine)
        yield from self._zones(zones, registry)

    def _zones(self, zones: set[str], registry: Registry) -> Iterator[Entity]:
        bays_of: dict[str, list[Bay]] = {zone: [] for zone in sorted(zones)}
        for bay in registry.watched_bays():
            if bay.zone in bays_of:
                bays_of[bay.zone].append(bay)
        for zone, bays in bays_of.items():
            told = [self._picture.get(urn("ParkingSpot", self._site, bay.id), "status") for bay in bays]
            if any(told):
                yield on_street_parking(zone, self._site, bays, told)

    def _request(self, entities: Mapping[str, Entity]) -> tuple[bytes, dict[str, str]]:
        context = self._settings.context
        body = json.dumps([{**entity, "@context": context} for entity in entities.values()])
        headers = {"Content-Type": "application/ld+json", "Accept": "application/json"}
        if self._settings.tenant is not None:
            headers["NGSILD-Tenant"] = self._settings.tenant
        return body.encode(), headers

    def _judge(
        self,
        failed: list[Failure] | None,
        sent: Mapping[str, Entity],
        place_of: Mapping[str, set[int]],
        count: int,
    ) -> None:
        if failed is None or any(each.entity not in sent for each in failed):
            self._unclear(failed, count)
            return
        refused: dict[int, str] = {}
        again: dict[int, str] = {}
        for each in failed:
            if each.entity in place_of:
                (refused if each.final else again).update(dict.fromkeys(place_of[each.entity], each.why))
            else:  # counts follow from the bays: they go again with the next reading, and no reading is at fault
                self._stale_zones.add(sent[each.entity]["name"]["value"])
        if refused or again:
            raise SinkPartly(refused, again)

    def _unclear(self, failed: list[Failure] | None, count: int) -> None:
        """Ask about each half of a batch of which some part failed, until it is clear which."""
        if count > 1 or failed:
            raise SinkRefused(failed[0].why if failed else "HTTP 207 that does not say which entities failed")
        log.warning("broker says 207 and no more; taken as done", extra={"sink": self._settings.name})
