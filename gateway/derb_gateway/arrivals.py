"""What comes out of the broker, and what its intake leads to."""

from dataclasses import dataclass, field

from derb_gateway.asks import Ask
from derb_gateway.downlink import Range
from derb_gateway.orders_rows import Report
from derb_gateway.quarantine import RAW_KEPT_BYTES


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as it came.

    `payload` is cut to what the quarantine keeps of its `length` bytes. `error_ms`: by how much earlier than
    `received_ms` it may have reached the broker; 0 not at all, None: nobody knows. `dup`: the broker says
    that it sent this before. `relay` and `rssi_dbm`: which relay heard it, and how well. `held`: it was kept somewhere on
    its way, so newer ones of its node may have come before it.
    """

    topic: str
    payload: bytes
    length: int
    dup: bool
    received_ms: int
    error_ms: int | None
    synchronised: bool
    relay: str | None = None
    rssi_dbm: int | None = None
    held: bool = False

    @classmethod
    def of(
        cls,
        topic: str,
        payload: bytes,
        *,
        dup: bool,
        received_ms: int,
        error_ms: int | None,
        synchronised: bool,
        relay: str | None = None,
        rssi_dbm: int | None = None,
        held: bool = False,
    ) -> "Arrival":
        """Return an arrival that holds no more of its payload than is of use."""
        kept = payload if len(payload) <= RAW_KEPT_BYTES else payload[:RAW_KEPT_BYTES]
        return cls(topic, kept, len(payload), dup, received_ms, error_ms, synchronised, relay, rssi_dbm, held)


@dataclass(slots=True)
class Outcome:
    """What a committed batch owes the street: the runs to confirm and the asks to answer, by node.

    Also what nodes said of themselves, and the newest reading's id.
    """

    ranges: dict[str, list[Range]] = field(default_factory=dict)
    last_id: int = 0
    asks: list[tuple[str, Ask]] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
