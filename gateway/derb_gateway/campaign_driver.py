"""The task that leads a campaign from wave to wave; every step is one transaction, so it may die at any moment."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Collection

from derb_gateway.campaign import (
    SETTLED,
    CampaignState,
    Member,
    NodeState,
    has_version,
    is_gone,
    judged,
    too_many_bad,
    why_not_now,
)
from derb_gateway.campaign_book import Campaign, latest, members, save_members, save_state, taken_back
from derb_gateway.clock import Clock
from derb_gateway.errors import GatewayError
from derb_gateway.orders import OrderBook
from derb_gateway.orders_rows import commands_of, insert_command, reported_of

log = logging.getLogger(__name__)

_EVERY_S = 10.0


class CampaignDriver:
    """`registered`: the nodes that may be ordered something; `follow` is told how the latest campaign stands."""

    def __init__(
        self,
        orders: OrderBook,
        clock: Clock,
        registered: Callable[[], Collection[str]],
        follow: Callable[[Campaign | None], Awaitable[None]],
    ) -> None:
        self._orders = orders
        self._clock = clock
        self._registered = registered
        self._follow = follow

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self._follow(await asyncio.to_thread(self.step))
            except Exception as error:
                known = isinstance(error, GatewayError)
                log.warning(
                    "campaign not led on", extra={"why": repr(error)}, exc_info=None if known else error
                )
            await asyncio.sleep(_EVERY_S / self._clock.speed)

    def step(self) -> Campaign | None:
        """Judge who was ordered, stop if too many are bad, order who may be, go on to the next wave. StoreError.

        Returns the latest campaign as it stands by then.
        """
        with self._orders.reading() as db:
            campaign = latest(db)
        if campaign is None or not campaign.is_live():
            return campaign
        with self._orders.transaction() as db:
            now = latest(db)
            if now is not None and now.is_live():
                now = _Step(db, now, self._clock.wall_ms(), self._registered()).take()
            return now


class _Step:
    """One step of one campaign."""

    def __init__(
        self, db: sqlite3.Connection, campaign: Campaign, now_ms: int, registered: Collection[str]
    ) -> None:
        self._db = db
        self._campaign = campaign
        self._now_ms = now_ms
        self._registered = registered
        self._members = {each.node: each for each in members(db, campaign.id)}

    def take(self) -> Campaign:
        before, campaign = dict(self._members), self._campaign
        self._judge()
        if campaign.state is CampaignState.RUNNING:
            self._lead()
        changed = [each for node, each in self._members.items() if each != before[node]]
        save_members(self._db, campaign.id, changed)
        if self._campaign != campaign:
            save_state(self._db, self._campaign)
            told = {"campaign": campaign.id, "state": self._campaign.state, "wave": self._campaign.wave + 1}
            log.info("campaign", extra={**told, "why": self._campaign.why})
        return self._campaign

    def _judge(self) -> None:
        for node, member in self._members.items():
            if member.state is NodeState.ORDERED:
                orders = {each.id: each for each in commands_of(self._db, node)}
                order = orders.get(member.command) if member.command is not None else None
                reported = reported_of(self._db, node)
                self._members[node] = judged(self._campaign.plan, member, reported, order, self._now_ms)

    def _lead(self) -> None:
        campaign = self._campaign
        if why := too_many_bad(campaign.plan, self._members.values(), campaign.wave):
            self._campaign = campaign._replace(state=CampaignState.STOPPED, why=why)
            waiting = taken_back(self._db, self._members.values(), self._now_ms)
            self._members.update({each.node: each for each in waiting})
            return
        for node, member in self._members.items():
            if member.state is NodeState.WAITING and member.wave == campaign.wave:
                self._members[node] = self._ordered(member)
        if all(each.state in SETTLED for each in self._members.values() if each.wave <= campaign.wave):
            self._next_wave()

    def _next_wave(self) -> None:
        campaign = self._campaign
        if campaign.wave + 1 < len(campaign.plan.waves):
            self._campaign = campaign._replace(wave=campaign.wave + 1, wave_ms=self._now_ms)
        else:
            self._campaign = campaign._replace(state=CampaignState.DONE)

    def _ordered(self, member: Member) -> Member:
        """Order an update from a node that may have it now; one that may not for too long is left out."""
        plan, node = self._campaign.plan, member.node
        reported = reported_of(self._db, node)
        if node not in self._registered:
            return member._replace(state=NodeState.LEFT_OUT, why="it is not in the registry any more")
        if has_version(plan, reported):
            return member._replace(state=NodeState.UPDATED, why="it had it already")
        if is_gone(plan, reported, self._now_ms):
            return member._replace(state=NodeState.LEFT_OUT, why="it has said nothing of itself for long")
        if why := why_not_now(plan, reported, commands_of(self._db, node), self._now_ms):
            too_long = self._now_ms > self._campaign.wave_ms + plan.within_s * 1000
            return member._replace(state=NodeState.LEFT_OUT if too_long else member.state, why=why)
        deadline_ms = self._now_ms + plan.within_s * 1000
        order = insert_command(self._db, node, "update", plan.version, deadline_ms, self._now_ms)
        return member._replace(state=NodeState.ORDERED, command=order.id, why="")
