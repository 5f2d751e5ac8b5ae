"""The gateway's end of one relay's serial line: bytes in, events and bytes out. No I/O, no clock of its own."""

from collections import Counter, deque
from dataclasses import dataclass

from derb_gateway import relay_framing as framing
from derb_gateway import relay_messages as messages
from derb_gateway.relay_messages import Done, RelayMessageError, RelayUplink, Result, SelfDescription

ASK_EVERY_S = 5.0
SILENT_S = 12.0  # a relay speaks of itself every 5 seconds at least
AGAIN_S = 1.0
_TRIES = 3
_ROOM_FOR_TAKEN = 32
_SEEN = 64  # more than a relay has on the line, less than half of the numbers
_NUMBERS = 256
_QUEUE = 1_000
_TAKEN_AT_ONCE = 16


@dataclass(slots=True)
class Order:
    """A downlink on its way to a relay."""

    node: str
    frame: bytes
    hold_s: int
    number: int = 0
    written_s: float = 0.0
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a downlink; `result` None: the relay never answered."""

    node: str
    frame: bytes
    result: Result | None


Event = SelfDescription | RelayUplink | Ended


class Line:
    """One connection. It says nothing before it has heard the relay: a board that starts would take it for keystrokes."""

    def __init__(self, now_s: float, channel: int | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self.description: SelfDescription | None = None
        self._channel = channel
        self._heard_s = now_s
        self._asked_s = float("-inf")
        self._splitter = framing.Splitter()
        self._seen: deque[int] = deque(maxlen=_SEEN)
        self._to_take: list[int] = []
        self._waiting: deque[Order] = deque()
        self._out: dict[int, Order] = {}
        self._number = 0

    @property
    def text(self) -> str:
        """What the board printed last between the frames."""
        return self._splitter.text

    def silent(self, now_s: float) -> bool:
        """Return whether nothing intact has come for too long."""
        return now_s - self._heard_s > SILENT_S

    def received(self, chunk: bytes, now_s: float) -> list[Event]:
        """Return what the relay says with these bytes."""
        events: list[Event] = []
        for content in self._splitter.feed(chunk):
            try:
                message = messages.read(content)
            except RelayMessageError:
                self.counts["odd"] += 1
                continue
            self._heard_s = now_s
            event = self._understand(message)
            if event is not None:
                events.append(event)
        self.counts["bad"] = self._splitter.bad
        return events

    def take(self, number: int) -> None:
        """Tell the relay that an uplink is off the line."""
        self._seen.append(number)
        self._to_take.append(number)

    def send(self, node: str, frame: bytes, hold_s: int = 0) -> None:
        """Queue a downlink; when there are too many the oldest goes: its node asks again."""
        if len(self._waiting) >= _QUEUE:
            self._waiting.popleft()
            self.counts["overflow"] += 1
        self._waiting.append(Order(node, frame, hold_s))

    def due(self, now_s: float) -> tuple[bytes, list[Ended]]:
        """Return what is to be written now, and the downlinks that were given up."""
        if self.description is None:
            return b"", []
        contents, given_up = [], []
        while self._to_take:
            contents.append(messages.taken(self._to_take[:_TAKEN_AT_ONCE]))
            del self._to_take[:_TAKEN_AT_ONCE]
        if now_s - self._asked_s >= ASK_EVERY_S:
            self._asked_s = now_s
            contents.append(messages.ask(self._channel))
        for order in [order for order in self._out.values() if now_s - order.written_s >= AGAIN_S]:
            if order.tries >= _TRIES:
                del self._out[order.number]
                given_up.append(Ended(order.node, order.frame, None))
            else:
                self.counts["again"] += 1
                contents.append(self._written(order, now_s))
        contents += self._new_orders(now_s, self.description.room_bytes - _ROOM_FOR_TAKEN)
        return b"".join(map(framing.encode, contents)), given_up

    def _new_orders(self, now_s: float, room_bytes: int) -> list[bytes]:
        """Take as many downlinks as the relay has room for; one at a time it always has."""
        contents = []
        on_the_way = sum(_size(order) for order in self._out.values())
        while self._waiting and (not self._out or on_the_way + _size(self._waiting[0]) <= room_bytes):
            order = self._waiting.popleft()
            on_the_way += _size(order)
            self._number = order.number = self._free_number()
            self._out[order.number] = order
            contents.append(self._written(order, now_s))
        return contents

    def _free_number(self) -> int:
        number = (self._number + 1) % _NUMBERS
        while number in self._out:
            number = (number + 1) % _NUMBERS
        return number

    def _written(self, order: Order, now_s: float) -> bytes:
        order.written_s = now_s
        order.tries += 1
        return messages.downlink(order.number, order.node, order.frame, order.hold_s)

    def _understand(self, message: SelfDescription | RelayUplink | Done) -> Event | None:
        if isinstance(message, SelfDescription):
            self._described(message)
            return message
        if isinstance(message, Done):
            order = self._out.pop(message.number, None)
            return None if order is None else Ended(order.node, order.frame, message.result)
        if self.description is None:
            return None  # nobody knows yet whose it is; what is not taken comes again
        if message.number in self._seen:
            self.counts["again_from_relay"] += 1
            self._to_take.append(message.number)  # it did not hear that we have it
            return None
        return message

    def _described(self, description: SelfDescription) -> None:
        if self.description is None or self.description.start != description.start:
            # It has just started and knows nothing of what was before.
            self._seen.clear()
            self._to_take.clear()
            self._waiting.extendleft(reversed(self._out.values()))
            self._out.clear()
            self._asked_s = float("-inf")
        self.description = description


def _size(order: Order) -> int:
    return len(framing.encode(messages.downlink(0, order.node, order.frame, order.hold_s)))
