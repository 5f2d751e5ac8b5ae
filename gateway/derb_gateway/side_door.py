"""How messages come in that did not just come over the street: out of a file, the quarantine, the waiting room."""

from typing import NamedTuple

from derb_gateway.arrivals import Outcome
from derb_gateway.intake import Intake
from derb_gateway.orders import OrderBook
from derb_gateway.progress import Progress
from derb_gateway.reports import note
from derb_gateway.writer import Writer


class SideDoor(NamedTuple):
    """The parts they pass; no receipt goes out for them, since their node does not listen now."""

    writer: Writer
    intake: Intake
    progress: Progress
    orders: OrderBook | None = None

    async def passed(self, outcome: Outcome) -> None:
        """Let the sinks, and who gave orders, know of a committed batch."""
        self.progress.reached(outcome.last_id)
        await note(self.orders, outcome)
