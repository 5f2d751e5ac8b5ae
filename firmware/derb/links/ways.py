"""The ways out of a node, in the order in which a wake tries them.

With two ways in the configuration the second one stands in when the first cannot be opened. A first way that is dead for
weeks would cost its whole price at every wake, so it is tried first ever more rarely; the day it works again it is first.
"""

from micropython import const

from derb.links import LinkError

_RAREST = const(64)  # wakes


class Means:
    """What a link may use: `remembered` of the last connection, `enter(phase)` to note where it is, `now_s()`."""

    def __init__(self, config, node, key, nvs, remembered, enter, now_s):
        self.config = config
        self.node = node
        self.key = key
        self.nvs = nvs
        self.remembered = remembered
        self.enter = enter
        self.now_s = now_s


def ways_out(means, detours, failures):
    """Return the link that `config.link` names; `detours` is what the last one's `detours` was, `failures` wakes in a row."""
    makers = [_MAKERS[name] for name in means.config.link.split("+")]
    return Ways([lambda make=make: make(means) for make in makers], detours, failures)


def _mqtt(means):
    from derb.links.mqtt import MqttLink
    from derb.links.wifi import Wifi

    config = means.config
    return MqttLink(Wifi(config.ssid, config.psk, means.remembered), means)


def _espnow(means):
    import os

    import espnow
    import network

    from derb.links.espnow import EspNowLink
    from derb.links.hint import Hint

    return EspNowLink(network.WLAN(network.STA_IF), espnow.ESPNow(), Hint(means.nvs), os.urandom)


_MAKERS = {"wifi": _mqtt, "espnow": _espnow}


class Ways:
    """One or two links that behave as one: what cannot be opened, or hears not even one frame, gives way to the next."""

    def __init__(self, makers, detours, failures):
        self.detours = detours  # wakes in a row that went another way than the first
        self.rssi_dbm = 0  # signal of the connection, 0 as long as it is not known
        self._before = detours
        self._makers = makers
        self._order = list(range(len(makers)))
        # Powers of two, then every 64th; and a wake after one without receipts, whichever way that went.
        late = detours & (detours - 1) if detours < _RAREST else detours % _RAREST
        if len(makers) > 1 and bool(late) != bool(failures & 1):
            self._order.reverse()
        self._link = None
        self._spoken = False

    def open(self, deadline):
        """Open the first way that can be; raise the LinkError of the last."""
        self._deadline = deadline
        while True:
            number = self._order.pop(0)
            self._link = self._makers[number]()
            # Another way needs its share of the time.
            self._share = deadline.within(deadline.left() // (len(self._order) + 1))
            try:
                self._link.open(self._share)
                break
            except LinkError:
                if not self._order:
                    raise
                self._link.close()
        self.detours = min(255, self._before + 1) if number else 0
        self._measure()

    @property
    def window(self):
        """How many downlinks may come at once."""
        return self._link.window

    def extend(self, ms):
        """Let the open way go on for at least so long: an order wants it."""
        self._share.extend(ms)

    def send(self, frame):
        """Hand on one frame; as long as none was, the next way may still take it."""
        while True:
            try:
                self._link.send(frame)
                self._spoken = True
                return
            except LinkError:
                if self._spoken or not self._order:
                    raise
                self._link.close()
                self.open(self._deadline)

    def receive(self, deadline):
        """Return the next downlink, or None when `deadline` is over."""
        downlink = self._link.receive(deadline)
        self._measure()
        return downlink

    def waiting(self):
        """Return the downlinks that came unasked."""
        return self._link.waiting()

    def close(self):
        """End the connection, radio off."""
        if self._link:
            self._link.close()

    def _measure(self):
        try:
            self.rssi_dbm = max(-128, min(0, self._link.rssi_dbm())) or self.rssi_dbm
        except OSError:
            pass  # the access point went away just now; what was measured before is the best there is
