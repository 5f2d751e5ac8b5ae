"""From messages to rows: verify, decode, tell new from known, give each reading its time. No network."""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator

from derb_gateway.arrivals import Arrival, Outcome
from derb_gateway.asks import Ask, decode_ask, is_ask
from derb_gateway.downlink import Range
from derb_gateway.frame import FrameError, UnknownNode, check_head, decode_uplink, node_of_topic
from derb_gateway.intervals import IntervalSet
from derb_gateway.node_state import NodeState
from derb_gateway.orders_rows import Report
from derb_gateway.quarantine import Quarantine, Refusal
from derb_gateway.readings import Answer, Health, Uplink
from derb_gateway.registry import Registry
from derb_gateway.store import KnownChange, NewReading, Store
from derb_gateway.times import ReadingTime, reading_time, surer
from derb_gateway.waiting_room import WaitingRoom

log = logging.getLogger(__name__)

_KNOWN_CACHED = 20_000
_TOLD_AGAIN_MS = 3_600_000
_JSON = json.JSONEncoder(separators=(",", ":"), check_circular=False)


class Limits:
    """How much of what is refused is kept."""

    def __init__(
        self, quarantine_rows: int = 10_000, quarantine_bytes: int = 4_194_304, waiting: int = 1_000
    ) -> None:
        self.quarantine_rows = quarantine_rows
        self.quarantine_bytes = quarantine_bytes
        self.waiting = waiting


class Intake:
    """The logic behind the broker. `take` runs inside one of the writer's transactions."""

    def __init__(self, registry: Registry, limits: Limits | None = None, *, slack_ms: int = 2_000) -> None:
        """`slack_ms`: by how much two honest times of one reading may disagree."""
        self.registry = registry
        self.limits = limits or Limits()
        self._slack_ms = slack_ms
        self._nodes: dict[str, NodeState] = {}
        self._known: dict[tuple[str, int], IntervalSet] = {}
        self._quarantine: Quarantine | None = None
        self._waiting_room: WaitingRoom | None = None
        self._told_ms: dict[str, int] = {}

    def set_limits(self, limits: Limits) -> None:
        """Keep more or less of what is refused from now on; in the writer's thread."""
        self.limits = limits
        self._quarantine = None

    def forget(self) -> None:
        """Drop all that is remembered: a transaction was rolled back or the file replaced."""
        self._nodes.clear()
        self._known.clear()
        self._quarantine = None
        self._waiting_room = None

    def take(self, store: Store, arrivals: Iterable[Arrival]) -> Outcome:
        """Write a batch; whatever a message holds, it is stored, known or refused, and counted."""
        batch = _Batch(self, store)
        for arrival in arrivals:
            batch.take(arrival)
        return batch.finish()

    def understands(self, arrival: Arrival) -> bool:
        """Return whether a message is a good frame of a node that is known now."""
        try:
            node = node_of_topic(arrival.topic)
            check_head(arrival.payload, arrival.length)
            decode_uplink(node, self.registry.key(node), arrival.payload)
        except FrameError:
            return False
        return True

    def let_in(self, store: Store) -> Outcome:
        """Take what was kept of unknown nodes that the registry knows by now."""
        room, nodes = self.waiting_room_of(store), self.registry.keys.keys()
        outcome = self.take(store, list(room.frames(nodes)))
        room.let_go(nodes)
        return outcome

    def trim(self) -> None:
        """Forget intervals when there are too many; they are in the store."""
        if len(self._known) > _KNOWN_CACHED:
            self._known.clear()

    def node_state(self, store: Store, node: str, now_ms: int) -> NodeState:
        """Return what is remembered of a node, from the store if need be."""
        state = self._nodes.get(node)
        if state is None:
            row = store.node(node) or (now_ms, now_ms, 0, b"", 0)
            state = self._nodes[node] = NodeState(*row)
        return state

    def known_of(self, store: Store, node: str, boot: int) -> IntervalSet:
        """Return the sequence numbers held of a boot, from the store if need be."""
        known = self._known.get((node, boot))
        if known is None:
            known = self._known[node, boot] = store.known(node, boot)
        return known

    def tell_of_reuse(self, node: str, boot: int, sequences: list[int], now_ms: int) -> None:
        """Log that a node's identities come with other readings, once an hour for each node."""
        if abs(now_ms - self._told_ms.get(node, now_ms - _TOLD_AGAIN_MS)) >= _TOLD_AGAIN_MS:
            self._told_ms[node] = now_ms
            log.error("identity reused", extra={"node": node, "boot": boot, "sequences": sequences})

    def quarantine_of(self, store: Store) -> Quarantine:
        """Return the quarantine of the present file."""
        if self._quarantine is None:
            self._quarantine = Quarantine(store.db, self.limits.quarantine_rows, self.limits.quarantine_bytes)
        return self._quarantine

    def waiting_room_of(self, store: Store) -> WaitingRoom:
        """Return the waiting room of the present file."""
        if self._waiting_room is None:
            self._waiting_room = WaitingRoom(store.db, self.limits.waiting)
        return self._waiting_room


class _Batch:
    """One transaction's worth of messages."""

    def __init__(self, intake: Intake, store: Store) -> None:
        self._intake = intake
        self._store = store
        self._counts: Counter[str] = Counter()
        self._rows: dict[tuple[str, int, int], NewReading] = {}
        self._before: dict[tuple[str, int], list[tuple[int, int]]] = {}
        self._heard: dict[str, NodeState] = {}
        self._asks: list[tuple[str, Ask]] = []
        self._reports: list[Report] = []

    def take(self, arrival: Arrival) -> None:
        self._counts["frames"] += 1
        node = ""
        try:
            node = node_of_topic(arrival.topic)
            check_head(arrival.payload, arrival.length)
            key = self._intake.registry.key(node)
            if key is not None and is_ask(arrival.payload):
                self._ask(node, arrival, decode_ask(node, key, arrival.payload))
                return
            uplink = decode_uplink(node, key, arrival.payload)
        except UnknownNode as refused:
            if self._intake.registry.is_revoked(node):
                self._refuse(
                    arrival, "key_revoked", f"node {node} was replaced, and its key has had its time"
                )
            else:
                self._counts[f"refused.{refused.reason}"] += 1
                self._intake.waiting_room_of(self._store).add(node, arrival)
        except FrameError as refused:
            self._refuse(arrival, refused.reason, str(refused))
        except Exception as crash:
            log.exception("decoder failed", extra={"topic": arrival.topic, "raw": arrival.payload.hex()})
            self._refuse(arrival, "decoder_failed", repr(crash))
        else:
            self._accept(node, arrival, uplink)

    def _refuse(self, arrival: Arrival, reason: str, detail: str) -> None:
        self._counts[f"refused.{reason}"] += 1
        self._intake.quarantine_of(self._store).add(
            Refusal(arrival.topic, reason, detail, arrival.payload, arrival.length, arrival.received_ms)
        )

    def _ask(self, node: str, arrival: Arrival, ask: Ask) -> None:
        """Note an ask; one for a downlink alone is answered like a frame whose readings are all known."""
        self._counts["asks"] += 1
        if ask.version:
            self._asks.append((node, ask))
        else:
            state = self._intake.node_state(self._store, node, arrival.received_ms)
            self._heard[node] = state

    def _accept(self, node: str, arrival: Arrival, uplink: Uplink) -> None:
        state = self._intake.node_state(self._store, node, arrival.received_ms)
        tag = arrival.payload[-8:]
        at_ms, held = arrival.received_ms, arrival.held
        repeated = state.heard(tag, uplink.boot, uplink.oldest, uplink.sequence, at_ms, held=held)
        self._heard[node] = state
        if reused := self._reused(node, uplink):
            state.dispute(uplink.boot, reused)
            self._refuse(
                arrival, "identity_reused", f"boot {uplink.boot}: {reused[0]} is another reading here"
            )
            self._intake.tell_of_reuse(node, uplink.boot, reused, arrival.received_ms)
        elif repeated and not arrival.dup and arrival.error_ms == 0:
            self._refuse(arrival, "repeat", "the very same bytes came before")
        if not repeated and not reused:
            self._listen(node, arrival, uplink)
        self._keep(node, arrival, uplink, refine=not repeated and not reused)

    def _listen(self, node: str, arrival: Arrival, uplink: Uplink) -> None:
        """Pass on what a node says of itself, oldest first.

        Health only when it is new: played back later, it would stand for how the node is now. An answer always says the same.
        """
        known = self._intake.known_of(self._store, node, uplink.boot)
        for reading in reversed(uplink.readings):
            body, at_ms = reading.body, arrival.received_ms - reading.age_s * 1000
            if isinstance(body, Answer) or (isinstance(body, Health) and reading.sequence not in known):
                self._reports.append(Report(node, uplink.boot, reading.sequence, body, at_ms))

    def _reused(self, node: str, uplink: Uplink) -> list[int]:
        """Return the known sequence numbers of a frame if one of them stands here with another reading.

        All of them then: readings of two lives that happen to be alike are still two.
        """
        known = self._intake.known_of(self._store, node, uplink.boot)
        again = [reading for reading in reversed(uplink.readings) if reading.sequence in known]
        if not again:
            return []
        held = self._store.values(node, uplink.boot, again[0].sequence, again[-1].sequence)
        for reading in again:
            identity = (node, uplink.boot, reading.sequence)
            if row := self._rows.get(identity):
                held[reading.sequence] = (row.kind, row.body)
            value = (uplink.kind, _JSON.encode(reading.body.to_json()))
            if held.get(reading.sequence, value) != value:
                return [each.sequence for each in again]
        return []

    def _keep(self, node: str, arrival: Arrival, uplink: Uplink, *, refine: bool) -> None:
        known = self._intake.known_of(self._store, node, uplink.boot)
        if (node, uplink.boot) not in self._before:
            self._before[node, uplink.boot] = known.intervals()
        self._note_order(node, uplink, known)
        for reading in reversed(uplink.readings):
            time = reading_time(arrival, reading.age_s, lower_bound=uplink.age_is_bound)
            if reading.sequence not in known:
                body = _JSON.encode(reading.body.to_json())
                identity = (node, uplink.boot, reading.sequence)
                self._rows[identity] = NewReading(
                    *identity, uplink.kind, body, *time, arrival.received_ms, arrival.synchronised
                )
            else:
                self._counts["readings_known"] += 1
                if refine:
                    self._refine(node, uplink.boot, reading.sequence, time)
        known.add(uplink.oldest, uplink.sequence)

    def _note_order(self, node: str, uplink: Uplink, known: IntervalSet) -> None:
        """Count numbers that a frame leaves out, and readings that come after newer ones of their boot."""
        top = known.top()
        self._counts["readings_left_out"] += max(0, uplink.oldest - top - 1)
        late = sum(r.sequence < top and r.sequence not in known for r in uplink.readings)
        self._counts["readings_late"] += late
        self._heard[node].late += late

    def _refine(self, node: str, boot: int, sequence: int, time: ReadingTime) -> None:
        stored = self._store.time_if_unforwarded(node, boot, sequence)
        if stored is not None and surer(time, stored, self._intake._slack_ms):
            self._store.refine_time(stored.id, time.observed_ms, time.error_ms, lower_bound=time.lower_bound)
            self._counts["times_refined"] += 1

    def finish(self) -> Outcome:
        """Write what was gathered."""
        store, intake = self._store, self._intake
        store.insert(self._rows.values())
        store.save_known(self._known_changes())
        store.save_nodes(
            (node, state.first_ms, state.last_ms, state.frames, b"".join(state.tags), state.late)
            for node, state in self._heard.items()
        )
        ranges = {node: self._ranges(node, state) for node, state in self._heard.items()}
        self._counts["readings_stored"] += len(self._rows)
        self._counts["receipts"] += len(ranges)
        store.count(+self._counts)
        intake.trim()
        return Outcome(ranges, store.last_id(), self._asks, self._reports)

    def _known_changes(self) -> Iterator[KnownChange]:
        for (node, boot), before in self._before.items():
            yield KnownChange(node, boot, before, self._intake.known_of(self._store, node, boot).intervals())

    def _ranges(self, node: str, state: NodeState) -> list[Range]:
        return state.ranges(lambda boot: self._intake.known_of(self._store, node, boot))
