"""registry.toml as it is written: one model a table."""

import re
from datetime import datetime, time
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from derb_gateway.fill_shape import FillTable, of_shape, of_table
from derb_gateway.site_time import DEFAULT_TIMEZONE, Instant, Moment, TimeZoneName
from derb_gateway.toml_model import Settings

_NODE = re.compile(r"[0-9a-f]{12}")
_KEY = re.compile(r"[0-9a-fA-F]{64}")
_NAME_LONGEST = 80
PLACES = ("bay", "container", "zone")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def node_id(text: str) -> str:
    """Return a node id as it is on the wire; capitals, colons and dashes as in a MAC address are taken. ValueError."""
    node = re.sub(r"[\s:-]", "", text).lower()
    if not _NODE.fullmatch(node):
        raise ValueError("is not 12 hex digits")
    return node


def key_hex(text: str) -> str:
    """Return a node's key as it is written; ValueError, which never shows it."""
    if not _KEY.fullmatch(text):
        raise ValueError("is not 64 hex digits")
    return text


def place_name(text: str) -> str:
    """Return the name of a place, zone or site; ValueError. It goes into addresses and labels."""
    if not text or text != text.strip() or not text.isprintable() or len(text) > _NAME_LONGEST:
        msg = f"is no name: write 1 to {_NAME_LONGEST} printable characters, without spaces at its ends"
        raise ValueError(msg)
    return text


NodeId = Annotated[str, AfterValidator(node_id)]
KeyHex = Annotated[str, AfterValidator(key_hex), Field(repr=False)]
PlaceName = Annotated[str, AfterValidator(place_name)]


class SiteEntry(Settings):
    """[site]: the area of one gateway."""

    id: PlaceName | None = None
    timezone: TimeZoneName = DEFAULT_TIMEZONE


class ZoneEntry(Settings):
    """One [[zone]]: some streets of the site."""

    id: PlaceName
    name: str = ""


class NodeEntry(Settings):
    """One [[node]]: its factory id (12 hex digits), its key (64), what it watches, and since when until when."""

    id: NodeId
    key: KeyHex
    bay: PlaceName | None = None
    container: PlaceName | None = None
    mount: PlaceName | None = None
    board: PlaceName | None = None
    since: Instant | None = None
    replaced_by: NodeId | None = None
    replaced_at: Instant | None = None
    key_until: Instant | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> "NodeEntry":
        if self.bay is not None and self.container is not None:
            raise ValueError("a node watches a bay or a container, not both: take one of the two out")
        if (self.replaced_by is None) != (self.replaced_at is None):
            raise ValueError("replaced_by and replaced_at go together: write both or none")
        if self.replaced_by == self.id:
            raise ValueError("replaced_by: a node cannot replace itself")
        return self


class Bay(Settings):
    """One [[bay]]: a parking place."""

    id: PlaceName
    zone: PlaceName
    lat: float = Field(ge=-90, le=90)
    lon: float = Field(ge=-180, le=180)


class Container(Bay):
    """One [[container]]: a waste bin, its empty and full distance in mm, and its shape or its own table."""

    empty_mm: int = Field(gt=0)
    full_mm: int = Field(ge=0)
    floor_pct: int = Field(default=100, ge=10, le=1000)
    shape: Literal["cone", "box"] = "cone"
    fill_table: FillTable = ()

    @model_validator(mode="after")
    def _empty_is_deeper(self) -> "Container":
        if self.empty_mm <= self.full_mm:
            raise ValueError("empty_mm must be more than full_mm: the surface rises towards the sensor")
        return self

    def level_pct(self, distance_mm: int) -> float:
        """Return the fill level in percent, 0.0 to 100.0, to one decimal."""
        if self.fill_table:
            return round(of_table(self.fill_table, distance_mm), 1)
        height = (self.empty_mm - distance_mm) / (self.empty_mm - self.full_mm)
        return round(100 * of_shape(min(1.0, max(0.0, height)), self.floor_pct / 100, self.shape), 1)


class ClosedEntry(Settings):
    """One [[closed]]: a place or a zone that is out of use, once or every week; local time."""

    bay: PlaceName | None = None
    container: PlaceName | None = None
    zone: PlaceName | None = None
    from_: Moment = Field(alias="from")
    until: Moment | None = None
    weekly: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(default_factory=list)
    why: str = Field(default="", max_length=200)

    @model_validator(mode="after")
    def _makes_sense(self) -> "ClosedEntry":
        if sum(each is not None for each in (self.bay, self.container, self.zone)) != 1:
            raise ValueError("say what is closed, one of bay, container or zone")
        if self.weekly:
            self._is_weekly()
        elif isinstance(self.from_, time) or isinstance(self.until, time):
            raise ValueError(
                'a time of day needs weekly = ["tue", …]; for once, write from and until with dates'
            )
        return self

    def _is_weekly(self) -> None:
        are_times = isinstance(self.from_, time) and isinstance(self.until, time)
        if not are_times:
            raise ValueError("with weekly, from and until are times of day, such as 06:00:00")
        if self.from_ == self.until:
            raise ValueError("from and until are the same time: leave a day to the next with 00:00:00")
        if len(set(self.weekly)) < len(self.weekly):
            raise ValueError("weekly names a day twice: take one out")

    @property
    def place(self) -> tuple[str, str]:
        """Return what is closed: ("bay", "container" or "zone", its id)."""
        return next((kind, name) for kind in PLACES if (name := getattr(self, kind)) is not None)

    @property
    def begins(self) -> datetime | time:
        """Return `from`, which is a word of Python's own."""
        return self.from_


class RegistryFile(Settings):
    """The file as written."""

    site: SiteEntry = SiteEntry()
    zone: list[ZoneEntry] = Field(default_factory=list)
    node: list[NodeEntry] = Field(default_factory=list)
    bay: list[Bay] = Field(default_factory=list)
    container: list[Container] = Field(default_factory=list)
    closed: list[ClosedEntry] = Field(default_factory=list)
