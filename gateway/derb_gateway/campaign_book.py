"""Campaigns in the file of orders, so that one goes on where it was after any restart; one at a time."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from derb_gateway.campaign import BAD, CampaignState, Member, NodeState, Plan
from derb_gateway.clock import iso_utc
from derb_gateway.errors import ConfigError
from derb_gateway.orders import OrderBook
from derb_gateway.releases import version_text

_LIVE = (CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.STOPPED)
_MAY_BE = {
    CampaignState.PAUSED: (CampaignState.RUNNING,),
    CampaignState.RUNNING: (CampaignState.PAUSED, CampaignState.STOPPED),
    CampaignState.ABORTED: _LIVE,
}


class Campaign(NamedTuple):
    """One campaign; `wave` from 0, since `wave_ms`."""

    id: int
    state: CampaignState
    why: str
    plan: Plan
    wave: int
    wave_ms: int
    began_ms: int

    def is_live(self) -> bool:
        """Return whether it may still order something."""
        return self.state in _LIVE


def latest(db: sqlite3.Connection) -> Campaign | None:
    """Return the latest campaign."""
    columns = ", ".join(Campaign._fields)
    row = db.execute(f"SELECT {columns} FROM campaign ORDER BY id DESC LIMIT 1").fetchone()  # noqa: S608 - ours
    if row is None:
        return None
    plan = json.loads(row[3])
    whole = Plan(**{**plan, "waves": tuple(plan["waves"])})
    return Campaign(row[0], CampaignState(row[1]), row[2], whole, *row[4:])


def members(db: sqlite3.Connection, campaign: int) -> list[Member]:
    """Return a campaign's nodes, wave by wave."""
    rows = db.execute(
        "SELECT node, wave, state, command, why FROM campaign_node WHERE campaign = ? ORDER BY wave, node",
        (campaign,),
    )
    return [Member(node, wave, NodeState(state), *rest) for node, wave, state, *rest in rows]


def save_members(db: sqlite3.Connection, campaign: int, changed: Iterable[Member]) -> None:
    """Write nodes as they are now."""
    db.executemany(
        "INSERT OR REPLACE INTO campaign_node VALUES (?, ?, ?, ?, ?, ?)",
        [(campaign, *each) for each in changed],
    )


def save_state(db: sqlite3.Connection, campaign: Campaign) -> None:
    """Write how a campaign stands."""
    row = (campaign.state, campaign.why, campaign.wave, campaign.wave_ms, campaign.id)
    db.execute("UPDATE campaign SET state = ?, why = ?, wave = ?, wave_ms = ? WHERE id = ?", row)


def start(book: OrderBook, plan: Plan, nodes: Sequence[Member], now_ms: int) -> Campaign:
    """Begin a campaign; ConfigError if one is going on."""
    with book.transaction() as db:
        before = latest(db)
        if before is not None and before.is_live():
            told = f"campaign {before.id} is {before.state}: `derb gateway campaign abort` it first, or let it end"
            raise ConfigError([told])
        db.execute(
            "INSERT INTO campaign (state, why, plan, wave, wave_ms, began_ms) VALUES (?, '', ?, 0, ?, ?)",
            (CampaignState.RUNNING, json.dumps(plan._asdict()), now_ms, now_ms),
        )
        campaign = latest(db)
        assert campaign is not None
        save_members(db, campaign.id, nodes)
        return campaign


def change(book: OrderBook, to: CampaignState, now_ms: int) -> Campaign:
    """Pause, resume or abort the campaign that goes on; ConfigError if it cannot be.

    Aborting takes back what no node has begun. Resuming one that has stopped by itself counts its failures no more.
    """
    with book.transaction() as db:
        campaign = latest(db)
        if campaign is None or campaign.state not in _MAY_BE[to]:
            now = (
                "there is no campaign" if campaign is None else f"campaign {campaign.id} is {campaign.state}"
            )
            raise ConfigError([f"{now}: it cannot be {to} now"])
        nodes = members(db, campaign.id)
        if to is CampaignState.ABORTED:
            save_members(db, campaign.id, taken_back(db, nodes, now_ms))
        if campaign.state is CampaignState.STOPPED and to is CampaignState.RUNNING:
            forgiven = (each for each in nodes if each.state in BAD)
            save_members(db, campaign.id, [each._replace(state=NodeState.LEFT_OUT) for each in forgiven])
        campaign = campaign._replace(state=to, why="")
        save_state(db, campaign)
        return campaign


def taken_back(db: sqlite3.Connection, nodes: Iterable[Member], now_ms: int) -> list[Member]:
    """Let the orders expire that no node has answered yet; return their nodes, which wait again."""
    waiting = []
    for each in nodes:
        if each.state is NodeState.ORDERED:
            taken = db.execute(
                "UPDATE command SET deadline_ms = min(deadline_ms, ?) WHERE node = ? AND id = ? AND result IS NULL",
                (now_ms - 1, each.node, each.command),
            )
            if taken.rowcount:
                waiting.append(each._replace(state=NodeState.WAITING, command=None))
    return waiting


def campaign_json(book: OrderBook) -> dict[str, Any] | None:
    """Return the latest campaign and how each of its nodes fares; None if there never was one."""
    with book.reading() as db:
        campaign = latest(db)
        nodes = [] if campaign is None else members(db, campaign.id)
    if campaign is None:
        return None
    counts = Counter(each.state for each in nodes)
    return {
        "id": campaign.id,
        "state": campaign.state,
        "why": campaign.why or None,
        "version": version_text(campaign.plan.version),
        "began": iso_utc(campaign.began_ms),
        "wave": campaign.wave + 1,
        "waves": list(campaign.plan.waves),
        "counts": {state.value: counts[state] for state in NodeState},
        "nodes": {
            each.node: {"wave": each.wave + 1, "state": each.state, "why": each.why or None} for each in nodes
        },
    }
