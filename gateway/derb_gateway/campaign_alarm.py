"""The alarm that stands in the store for as long as a campaign has stopped by itself and nobody has decided about it."""

from derb_gateway.alarms import CAMPAIGN_STOPPED, clear, raise_once
from derb_gateway.campaign import CampaignState
from derb_gateway.campaign_book import Campaign
from derb_gateway.clock import Clock
from derb_gateway.releases import version_text
from derb_gateway.store import Store
from derb_gateway.writer import Writer


class CampaignAlarm:
    """Writes only when something has changed; one that somebody cleared stays so until the next start."""

    def __init__(self, writer: Writer, clock: Clock) -> None:
        self._writer = writer
        self._clock = clock
        self._told: str | None = ""  # nothing yet: what an earlier life raised may not be so any more

    async def follow(self, campaign: Campaign | None) -> None:
        """Raise or clear it as the latest campaign stands. StoreError, and the next call tries again."""
        why = _why_stopped(campaign)
        if why == self._told:
            return
        now_ms = self._clock.wall_ms()

        def write(store: Store) -> None:
            if why is None:
                clear(store.db, CAMPAIGN_STOPPED)
            else:
                raise_once(store.db, CAMPAIGN_STOPPED, why, now_ms)

        await self._writer.do(write)
        self._told = why


def _why_stopped(campaign: Campaign | None) -> str | None:
    if campaign is None or campaign.state is not CampaignState.STOPPED:
        return None
    return f"campaign {campaign.id} to {version_text(campaign.plan.version)}, wave {campaign.wave + 1}: {campaign.why}"
