"""The terminal's picture of the street: what each node says, what the city has, what lies between. Reads, never changes."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from derb_tools.demo.ledger import Ledger
from derb_tools.demo.plan import PlannedNode
from derb_tools.demo.upstream import Upstream

CITY_TIME = ZoneInfo("Africa/Casablanca")
_STATE_STYLE = {"free": "bold green", "occupied": "bold red", "unknown": "yellow"}
_STATES = ("unknown", "free", "occupied")
_NEWS = 8
_WIDE = 92  # columns that bays and containers need beside each other
_ALARMS = {"collected": "the surface fell by {value} mm", "full": "the surface is {value} mm from the sensor"}


@dataclass
class Seen:
    """What the view knows of one place."""

    node_state: str = "…"
    city_state: str = "…"
    confidence: int | None = None
    level_pct: float | None = None
    status: str = ""
    observed_at: str = ""


@dataclass
class StreetView:
    """Gathers what came by and draws it."""

    nodes: list[PlannedNode]
    ledger: Ledger
    upstream: Upstream
    speed: float
    broker: str
    news: deque[Text] = field(default_factory=lambda: deque(maxlen=_NEWS))
    warning: str = ""

    def __post_init__(self) -> None:
        self.seen = {node.id: Seen() for node in self.nodes}
        self.places = {node.id: node.place for node in self.nodes}

    def node_kept(self, node: str, kind: int, payload: str, street_ms: int) -> None:
        """A node put a reading into its outbox."""
        if kind == 1:
            self.seen[node].node_state = _STATES[min(bytes.fromhex(payload)[0] >> 6, 2)]

    def arrived(self, reading: dict[str, Any]) -> None:
        """A reading took effect upstream."""
        seen = self.seen[reading["node"]]
        if reading["kind"] == "parking":
            seen.city_state, seen.confidence = reading["state"], reading["confidence"]
        elif reading["kind"] == "level":
            seen.level_pct, seen.status = reading["level_pct"], reading["status"]
        if reading["kind"] in ("parking", "alarm"):
            self.news.append(_headline(self.places[reading["node"]], reading))
        seen.observed_at = reading["observed_at"]

    def render(self, street_unix_ms: int, width: int = 100) -> RenderableType:
        """Return the whole picture."""
        title = f"Derb · zone Maarif · {_clock(street_unix_ms)} · time runs {self.speed:g} times fast · {self.broker}"
        parts: list[RenderableType] = [Text(title, style="bold")]
        if self.warning:
            parts.append(Text(self.warning, style="yellow"))
        street: list[RenderableType] = [self._bays(), self._containers()]
        if width >= _WIDE:
            side_by_side = Table.grid(padding=(0, 2))
            side_by_side.add_row(*street)
            street = [side_by_side]
        parts += [
            *street,
            self._numbers(),
            Panel(Group(*self.news), title="what reached the city", title_align="left"),
        ]
        return Group(*parts)

    def _bays(self) -> Table:
        table = Table("bay", "node", "city", "sure", "unsent", box=box.SIMPLE_HEAD, title="parking")
        for node in self.nodes:
            if node.kind == "parking":
                seen = self.seen[node.id]
                sure = "" if seen.confidence is None else f"{seen.confidence} %"
                table.add_row(
                    node.place, _state(seen.node_state), _state(seen.city_state), sure, self._unsent(node)
                )
        return table

    def _containers(self) -> Table:
        table = Table("container", "level", "", "unsent", box=box.SIMPLE_HEAD, title="containers")
        for node in self.nodes:
            if node.kind == "level":
                seen = self.seen[node.id]
                table.add_row(node.place, *_level(seen), self._unsent(node))
        return table

    def _unsent(self, node: PlannedNode) -> str:
        waiting = self.ledger.nodes[node.id].waiting
        return str(waiting) if waiting else ""

    def _numbers(self) -> Table:
        entries = self.ledger.nodes.values()
        kept = sum(len(entry.kept) for entry in entries)
        frames, size = sum(entry.frames for entry in entries), sum(entry.frame_bytes for entry in entries)
        table = Table(box=box.SIMPLE_HEAD)
        for name in (
            "wakes",
            "readings kept",
            "frames",
            "bytes a frame",
            "receipts",
            "upstream",
            "batches",
            "waiting",
        ):
            table.add_column(name, justify="right")
        table.add_row(
            str(sum(entry.wakes for entry in entries)),
            str(kept),
            str(frames),
            f"{size / frames:.1f}" if frames else "",
            str(sum(len(entry.receipts) for entry in entries)),
            str(len(self.upstream.readings)),
            str(self.upstream.batches),
            str(self.ledger.waiting),
        )
        return table


def _state(state: str) -> Text:
    return Text(state, style=_STATE_STYLE.get(state, "dim"))


def _level(seen: Seen) -> tuple[RenderableType, str]:
    if seen.level_pct is None:
        return Text("…" if not seen.status else seen.status, style="yellow"), ""
    style = "red" if seen.level_pct >= 90 else "yellow" if seen.level_pct >= 70 else "green"
    return ProgressBar(
        100, seen.level_pct, width=20, complete_style=style, finished_style=style
    ), f"{seen.level_pct:3.0f} %"


def _clock(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, CITY_TIME).strftime("%H:%M:%S")


def _headline(place: str, reading: dict[str, Any]) -> Text:
    when = datetime.fromisoformat(reading["observed_at"]).astimezone(CITY_TIME).strftime("%H:%M:%S")
    if reading["kind"] == "alarm":
        words = _ALARMS.get(reading["alarm"], "{value}").format(value=reading["value"])
        return Text(f"{when}  {place}  {reading['alarm']}: {words}", style="magenta")
    lasted = reading["previous_state_s"]
    before = f" after {lasted // 60} min" if lasted else ""
    return Text(
        f"{when}  {place}  is {reading['state']}{before}", style=_STATE_STYLE.get(reading["state"], "")
    )
