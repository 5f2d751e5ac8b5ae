"""One turn after the other: from the air to the line, from the line to the air, and a word about itself now and then."""

import gc
import time

from micropython import const

from derb import VERSION
from relay import framing, messages
from relay.held import Held
from relay.port import ROOM
from relay.radio import FIRST_FRAME, HERE, PROBE
from relay.uplinks import Uplinks

_MOST_UPLINKS = const(128)
_MOST_HELD = const(64)
_GATEWAY_MS = const(15000)  # without a word from it for so long there is none
_SELF_MS = const(5000)
_SELF_ALONE_MS = const(2000)
_WAIT_MS = const(3)
_MOST_A_TURN = const(16)
_ANSWERS_A_SECOND = const(20)
_LEAST_FRAME = const(13)
_DONE_KEPT = const(8)


class Relay:
    """`turn()` for ever. `random` are four random bytes that tell this start from others."""

    def __init__(self, identity, chip, random, radio, port, save_channel):
        self._identity = identity
        self._chip = chip
        self._start = int.from_bytes(random, "little")
        self._radio = radio
        self._port = port
        self._save_channel = save_channel
        self._splitter = framing.Splitter()
        self._uplinks = Uplinks(_MOST_UPLINKS, time.ticks_diff)
        self._held = Held(_MOST_HELD, time.ticks_add, time.ticks_diff)
        self._began = self._second = time.ticks_ms()
        self._uptime_s = 0
        self._gateway_heard = None
        self._described = None
        self._answers = 0
        self._lately_done = []  # (number, node, frame), result
        self._heard = self._strange = self._probed = self._sent = self._unheard = self._odd = self._failed = 0

    def turn(self):
        """Do all that is to be done now; waits a few milliseconds when there is nothing."""
        now = time.ticks_ms()
        self._count_time(now)
        self._from_air(now)
        self._to_line(now)
        if self._described is None or time.ticks_diff(now, self._described) >= self._pause_ms(now):
            self._describe(now)
        if self._port.wait(_WAIT_MS):
            for content in self._splitter.feed(self._port.read()):
                self._from_line(content)

    def has_gateway(self, now):
        """Return whether the gateway said anything lately."""
        if self._gateway_heard is None or time.ticks_diff(now, self._gateway_heard) >= _GATEWAY_MS:
            self._gateway_heard = None
            return False
        return True

    def _count_time(self, now):
        while time.ticks_diff(now, self._second) >= 1000:
            self._second = time.ticks_add(self._second, 1000)
            self._uptime_s += 1
            self._answers = 0

    def _pause_ms(self, now):
        return _SELF_MS if self.has_gateway(now) else _SELF_ALONE_MS

    def _from_air(self, now):
        for _ in range(_MOST_A_TURN):
            heard = self._radio.receive()
            if heard is None:
                return
            node, rssi_dbm, packet = heard
            if packet[0] == PROBE and len(packet) == 5:
                self._probed += 1
                self._answer(now, node, packet[1:])
            elif packet[0] >= FIRST_FRAME and len(packet) >= _LEAST_FRAME:
                self._take(now, node, rssi_dbm, packet)
            else:
                self._strange += 1

    def _take(self, now, node, rssi_dbm, packet):
        self._heard += 1
        self._uplinks.put(now, rssi_dbm, node, packet)
        held = self._held.take(now, node)
        if held:
            self._transmit(node, held)
        if not self.has_gateway(now):
            self._answer(now, node, bytes(4))

    def _answer(self, now, node, nonce):
        # Each costs air, and more than that when nobody of that name is there.
        if self._answers < _ANSWERS_A_SECOND:
            self._answers += 1
            here = bytes((HERE,)) + nonce + bytes((self._radio.channel, 1 if self.has_gateway(now) else 0))
            self._transmit(node, here)

    def _transmit(self, node, packet):
        """Return a result for the gateway."""
        try:
            heard = self._radio.send(node, packet)
        except OSError:
            self._failed += 1
            return messages.RADIO_FAILED
        self._sent += heard
        self._unheard += not heard
        return messages.SENT if heard else messages.UNHEARD

    def _to_line(self, now):
        if not self.has_gateway(now):
            return
        for _ in range(_MOST_A_TURN):
            due = self._uplinks.next(now)
            if due is None:
                return
            self._say(messages.uplink(*due))

    def _from_line(self, content):
        message = messages.read(content)
        if message is None:
            self._odd += 1
            return
        self._gateway_heard = time.ticks_ms()
        if message[0] == messages.ASK:
            self._tune(message[1])
            self._describe(self._gateway_heard)
        elif message[0] == messages.TAKEN:
            self._uplinks.taken(message[1])
        else:
            self._down(self._gateway_heard, *message[1:])

    def _down(self, now, number, hold_s, node, frame):
        # What comes again because its answer was lost is answered again, and not sent again.
        asked = (number, node, frame)
        results = [result for done, result in self._lately_done if done == asked]
        if not results:
            results = [self._deliver(now, hold_s, node, frame)]
            self._lately_done = self._lately_done[-_DONE_KEPT + 1 :] + [(asked, results[0])]
        self._say(messages.done(number, results[0]))

    def _deliver(self, now, hold_s, node, frame):
        self._held.forget(node)
        result = self._transmit(node, frame)
        if result == messages.SENT or not hold_s:
            return result
        return messages.HELD if self._held.put(now, hold_s, node, frame) else messages.NO_ROOM

    def _tune(self, channel):
        if not channel or channel == self._radio.channel:
            return
        try:
            self._radio.tune(channel)
        except OSError:
            self._failed += 1  # not allowed here: the gateway sees the channel in the answer
        else:
            self._save_channel(channel)

    def _describe(self, now):
        self._described = now
        gc.collect()  # a heap in pieces makes the driver lose packets
        counters = (
            self._heard,
            self._strange,
            self._probed,
            self._sent,
            self._unheard,
            self._uplinks.dropped,
            self._radio.dropped(),
            self._radio.vanished,
            self._radio.restarts,
            self._failed,
            self._splitter.bad,
            self._odd,
            self._uplinks.again,
            len(self._uplinks),
            len(self._held),
            gc.mem_free() if hasattr(gc, "mem_free") else 0,
        )
        channel, version = self._radio.channel, VERSION
        self._say(
            messages.self_description(
                self._identity, self._start, self._uptime_s, version, channel, ROOM, self._chip, counters
            )
        )

    def _say(self, content):
        self._port.write(framing.encode(content))
