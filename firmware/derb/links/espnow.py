"""Frames over ESP-NOW to a relay: one packet a frame, receipts from the gateway behind it (docs/protocol.md, ESP-NOW).

The radio's own acknowledgement only says that a relay is there. The last relay and its channel are remembered as a hint:
when it does not answer, all channels are searched in the same wake, so a relay that moved or died locks nobody out.
"""

from micropython import const

from derb.links import LinkError

PROBE = const(1)
HERE = const(2)
BROADCAST = b"\xff\xff\xff\xff\xff\xff"

_HERE_SIZE = const(7)  # kind, nonce, channel, flags
_HAS_GATEWAY = const(1)
_HINT_SIZE = const(
    13
)  # address and channel of the last relay, address of one that took frames and gave no receipt
_CHANNELS = (1, 6, 11, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13)
_PROBES = const(2)
_LISTEN_MS = const(30)
_GOOD_DBM = const(-75)  # with such a signal no better relay is looked for
_TRIES = const(2)  # the radio repeats by itself within each
_QUIET_MS = const(1200)
_REPEATS = const(2)
_MOST_UNANSWERED = const(8)


class EspNowLink:
    """A node's way to a relay.

    `station` is network.WLAN, `radio` espnow.ESPNow; `hint` has `load()` and `save(bytes)` for what is remembered,
    `urandom` is os.urandom.
    """

    window = 2  # so many packets of 240 bytes the receive buffer of 526 bytes holds; a third is lost without a word

    def __init__(self, station, radio, hint, urandom):
        self._station = station
        self._radio = radio
        self._hint = hint
        self._urandom = urandom
        self._relay = self._shunned = self._deadline = None
        self._channel = 0
        self._searched = False
        self._unanswered = []

    def open(self, deadline):
        """Switch the radio on and choose a relay, or raise LinkError when none answers before `deadline` is over."""
        self._deadline = deadline
        try:
            self._station.active(True)
            self._radio.active(True)
            if not self._recall():
                self._search()
        except OSError as e:
            raise LinkError("ESP-NOW: %s" % e)

    def send(self, frame):
        """Hand one frame to a relay, any that is there."""
        try:
            while not self._transmit(frame):
                if self._searched:
                    raise LinkError("the relay does not hear")
                self._search()
        except OSError as e:
            raise LinkError("ESP-NOW: %s" % e)
        self._unanswered = self._unanswered[-_MOST_UNANSWERED + 1 :] + [frame]

    def receive(self, deadline):
        """Return the next downlink, or None; silence is broken by sending again what had no answer yet."""
        try:
            if not self._unanswered:
                return self._downlink(deadline)
            for repeat in range(_REPEATS + 1):
                packet = self._downlink(deadline.within(_QUIET_MS))
                if packet:
                    self._unanswered = []
                    self._remember(self._relay, None)
                    return packet
                if deadline.over() or repeat == _REPEATS or not self._transmit_again():
                    break
        except OSError as e:
            raise LinkError("ESP-NOW: %s" % e)
        self._remember(None, self._relay)
        return None

    def waiting(self):
        """Return nothing: no relay sends unasked before it has heard the node."""
        return []

    def rssi_dbm(self):
        """Return the signal of the last packet of the relay, 0 if none came."""
        return self._radio.peers_table.get(self._relay, (0,))[0]

    def close(self):
        """Radio off."""
        self._radio.active(False)
        self._station.active(False)

    def _recall(self):
        hint = self._hint.load()
        if len(hint) != _HINT_SIZE:
            return False
        self._shunned = hint[7:]
        return 1 <= hint[6] <= 13 and self._choose(hint[:6], hint[6])

    def _remember(self, relay, shunned):
        # Only what changes is written: it is flash.
        hint = (relay or bytes(6)) + bytes((self._channel if relay else 0,)) + (shunned or bytes(6))
        if hint != self._hint.load():
            self._hint.save(hint)

    def _choose(self, relay, channel):
        self._relay, self._channel = relay, channel
        if not self._tune(channel):
            return False
        self._know(relay)
        return True

    def _tune(self, channel):
        try:
            self._station.config(channel=channel)
        except (OSError, RuntimeError, ValueError):
            return False  # not in this country
        return True

    def _know(self, address):
        if not any(peer[0] == address for peer in self._radio.get_peers()):
            self._radio.add_peer(address)

    def _search(self):
        self._searched = True
        nonce = self._urandom(4)
        self._know(BROADCAST)
        found = {}
        for channel in _CHANNELS:
            if self._deadline.over():
                break
            if self._tune(channel):
                self._call(nonce, found)
                if any(rank[0] and rank[1] and rank[2] >= _GOOD_DBM for rank, _ in found.values()):
                    break
        if not found:
            raise LinkError("no relay answers")
        relay, (rank, channel) = max(found.items(), key=lambda item: item[1][0])
        if not rank[0]:
            raise LinkError("no relay has a gateway")
        if not self._choose(relay, channel):
            raise LinkError("the relay's channel %d is not allowed here" % channel)

    def _call(self, nonce, found):
        """Ask on this channel; enter into `found` each relay's rank and its channel, which it says itself."""
        for _ in range(_PROBES):
            self._radio.send(BROADCAST, bytes((PROBE,)) + nonce)
            until = self._deadline.within(_LISTEN_MS)
            while True:
                relay, packet = self._radio.recv(until.left())
                if relay and len(packet) == _HERE_SIZE and packet[0] == HERE and packet[1:5] == nonce:
                    signal = self._radio.peers_table.get(relay, (-100,))[0]
                    rank = (packet[6] & _HAS_GATEWAY, relay != self._shunned, signal)
                    found[bytes(relay)] = rank, packet[5]
                if until.over():
                    break

    def _transmit(self, frame):
        for _ in range(_TRIES):
            if self._deadline.over():
                return False
            if self._radio.send(self._relay, frame):
                return True
        return False

    def _transmit_again(self):
        heard = True
        for frame in self._unanswered:
            heard = self._transmit(frame) and heard
        return heard

    def _downlink(self, until):
        """Return the next packet that may be a downlink; whether it is one, its tag tells."""
        while True:
            sender, packet = self._radio.recv(until.left())
            if sender and packet[0] > HERE:
                return bytes(packet)
            if sender == self._relay and sender and len(packet) == _HERE_SIZE and packet[0] == HERE:
                if not packet[6] & _HAS_GATEWAY:
                    raise LinkError("the relay has no gateway")
            if until.over():
                return None
