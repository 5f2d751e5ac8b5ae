"""ESP-NOW as one node sees it, on a fake clock; stricter than the chip: no peer, wrong channel, no radio are failures here."""

BROADCAST = b"\xff" * 6
HEAR_MS = 3
ABSENT_MS = 25


class Relay:
    """What answers a node. `gateway`: whether it has one; `answers` are handed out in turn, a downlink or None a frame."""

    def __init__(self, address, channel, rssi_dbm=-60, gateway=True, answers=None):
        self.address, self.channel, self.rssi_dbm, self.gateway = address, channel, rssi_dbm, gateway
        self.answers = answers
        self.frames = []

    def hear(self, packet):
        """Return the packets that it sends back."""
        if packet[0] == 1:
            return [b"\x02" + packet[1:5] + bytes((self.channel, 1 if self.gateway else 0))]
        self.frames.append(packet)
        if self.answers is None:
            return [b"\x20receipt for " + packet]
        answer = self.answers.pop(0) if self.answers else None
        return [] if answer is None else [answer]


class Station:
    """network.WLAN: only what a radio without an access point needs."""

    def __init__(self, forbidden=()):
        self.on = False
        self.channel = 1
        self.tuned = []
        self._forbidden = forbidden

    def active(self, on):
        self.on = on

    def config(self, channel):
        assert self.on
        assert 1 <= channel <= 13
        if channel in self._forbidden:
            raise OSError("Wifi Invalid Argument")
        self.channel = channel
        self.tuned.append(channel)


class Radio:
    """espnow.ESPNow over `relays`, which hear their own channel, and a broadcast on the next one too if `crosstalk`."""

    def __init__(self, clock, station, relays, crosstalk=False):
        self.clock, self.station, self.relays, self.crosstalk = clock, station, relays, crosstalk
        self.peers_table = {}
        self.on = False
        self.sent = 0
        self._peers = []
        self._coming = []

    def active(self, on):
        assert not on or self.station.on
        self.on = on
        if not on:
            self._peers = []

    def get_peers(self):
        return tuple((peer, bytes(16), 0, 0, False) for peer in self._peers)

    def add_peer(self, address):
        assert self.on
        assert len(address) == 6
        assert len(self._peers) < 20
        if address in self._peers:
            raise OSError(-12395, "ESP_ERR_ESPNOW_EXIST")
        self._peers.append(bytes(address))

    def send(self, address, packet):
        if not self.on:
            raise OSError(-12389, "ESP_ERR_ESPNOW_NOT_INIT")
        if bytes(address) not in self._peers:
            raise OSError(-12393, "ESP_ERR_ESPNOW_NOT_FOUND")
        assert 0 < len(packet) <= 250
        self.sent += 1
        heard = False
        for relay in self.relays:
            apart = abs(relay.channel - self.station.channel)
            if address == BROADCAST and (apart == 0 or (self.crosstalk and apart == 1)):
                self._come(relay, bytes(packet))
            elif address == relay.address and apart == 0:
                heard = True
                self._come(relay, bytes(packet))
        self.clock.us += (HEAR_MS if heard or address == BROADCAST else ABSENT_MS) * 1000
        return heard or address == BROADCAST

    def _come(self, relay, packet):
        self._coming.extend((relay, answer) for answer in relay.hear(packet))

    def recv(self, timeout_ms):
        assert self.on
        assert 0 <= timeout_ms < 60000, "would wait for ever"
        if not self._coming:
            self.clock.us += timeout_ms * 1000
            return None, None
        relay, packet = self._coming.pop(0)
        self.clock.us += 1000
        self.peers_table[relay.address] = [relay.rssi_dbm, self.clock.us // 1000]
        return [relay.address, packet]


class Hint:
    """What is remembered, and how often it was written."""

    def __init__(self, kept=b""):
        self.kept = kept
        self.writes = 0

    def load(self):
        return self.kept

    def save(self, hint):
        self.kept = bytes(hint)
        self.writes += 1
