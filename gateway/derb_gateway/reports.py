"""What nodes said of their orders goes to whoever gave them."""

import asyncio
import logging

from derb_gateway.arrivals import Outcome
from derb_gateway.errors import StoreError
from derb_gateway.orders import OrderBook

log = logging.getLogger(__name__)


async def note(orders: OrderBook | None, outcome: Outcome) -> None:
    """Enter a committed batch's reports; they are in the store as well, so a failure loses no reading."""
    if orders is not None and outcome.reports:
        try:
            await asyncio.to_thread(orders.heard, outcome.reports)
        except Exception as error:  # whatever a flipped bit makes of what is noted there
            known = isinstance(error, StoreError)
            log.warning("orders not noted", extra={"why": repr(error)}, exc_info=None if known else error)
