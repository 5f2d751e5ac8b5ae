"""One node of a simulated fleet at the wire level: what it sent, what it holds receipts for. No I/O."""

from collections.abc import Iterable

from derb_gateway.downlink import Range
from derb_gateway.frame import SEQUENCE_MAX, FrameError
from derb_gateway.readings import PARKING, Parking, Reading, Uplink

from derb_tools.downlink import decode_downlink
from derb_tools.wire import encode_uplink

_READINGS_A_FRAME = 40
_STATES = ("free", "occupied")


class LoadNode:
    """Makes parking readings and keeps each until a receipt names it; times are seconds of one clock."""

    def __init__(self, node: str, key: bytes, boot: int) -> None:
        self.node = node
        self.boot = boot
        self.made = 0
        self.bad_downlinks = 0
        self.latencies_s: list[float] = []
        self._key = key
        self._made_s: dict[int, float] = {}  # by numbers that go on where sequences begin anew
        self._sent_s = 0.0

    @property
    def waiting(self) -> int:
        """How many readings have no receipt yet."""
        return len(self._made_s)

    def made_keys(self) -> set[str]:
        """The upstream keys of all readings made."""
        return {"{}:{}:{}".format(self.node, *self._identity(number)) for number in range(self.made)}

    def new_frame(self, now_s: float) -> bytes:
        """Make one reading and return the frame that carries it."""
        self._made_s[self.made] = now_s
        self.made += 1
        self._sent_s = now_s
        return self._frame(self.made - 1, self.made - 1, now_s)

    def overdue_frame(self, now_s: float, after_s: float) -> bytes | None:
        """Return a frame with the oldest readings again if the last frame is `after_s` old and unanswered."""
        if not self._made_s or now_s - self._sent_s < after_s:
            return None
        self._sent_s = now_s
        oldest = min(self._made_s)
        newest = oldest
        last = oldest | SEQUENCE_MAX  # of the same boot
        while newest + 1 in self._made_s and newest < last and newest - oldest + 1 < _READINGS_A_FRAME:
            newest += 1
        return self._frame(oldest, newest, now_s)

    def took(self, frame: bytes, now_s: float) -> None:
        """Take a downlink: drop what it names, note how long that took."""
        try:
            downlink = decode_downlink(self.node, self._key, frame)
        except FrameError:
            self.bad_downlinks += 1
            return
        for number in [n for n in self._made_s if self._named(n, downlink.ranges)]:
            self.latencies_s.append(now_s - self._made_s.pop(number))

    def _identity(self, number: int) -> tuple[int, int]:
        """Return (boot, sequence): after 16,383 a new boot is taken."""
        boots, sequence = divmod(number, SEQUENCE_MAX + 1)
        return self.boot + boots, sequence

    def _named(self, number: int, ranges: Iterable[Range]) -> bool:
        boot, sequence = self._identity(number)
        return any(of == boot and first <= sequence <= last for of, first, last in ranges)

    def _frame(self, oldest: int, newest: int, now_s: float) -> bytes:
        readings = [
            Reading(
                self._identity(n)[1], int(now_s - self._made_s[n]), Parking(_STATES[n % 2], 100, n % 1000)
            )
            for n in range(newest, oldest - 1, -1)
        ]
        boot, _ = self._identity(newest)
        return encode_uplink(self.node, self._key, Uplink(PARKING, boot, False, tuple(readings)))
