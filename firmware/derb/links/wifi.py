"""Wi-Fi for as long as one wake needs it."""

import time

import network
from micropython import const

from derb.links import LinkError

_LOOK_EVERY_MS = const(20)
_LOOKS_TO_BELIEVE = const(3)  # one status alone has been wrong
_LOOK_AROUND_S = const(604800)
_ANY_ADDRESS = "dhcp"

# With no attempt of its own left the driver stays in one of these for good.
_GIVEN_UP = tuple(
    getattr(network, name)
    for name in (
        "STAT_NO_AP_FOUND",
        "STAT_WRONG_PASSWORD",
        "STAT_ASSOC_FAIL",
        "STAT_HANDSHAKE_TIMEOUT",
        "STAT_BEACON_TIMEOUT",
    )
    if hasattr(network, name)
)


class Wifi:
    """The station interface; `remembered` makes joining shorter, or is None."""

    def __init__(self, ssid, psk, remembered=None):
        self._ssid = ssid
        self._psk = psk
        self._remembered = remembered
        self._station = network.WLAN(network.STA_IF)

    def open(self, deadline):
        """Join the network, or raise LinkError when `deadline` is over or the driver gives up."""
        known = self._remembered
        try:
            self._station.active(True)
            # Left to itself the driver tries for ever, with the radio on.
            self._station.config(reconnects=0)
            if known and (known.bssid or known.lease):
                try:
                    self._join(
                        deadline.within(deadline.left() // 2), known.bssid, known.lease or _ANY_ADDRESS
                    )
                    return
                except LinkError:
                    known.forget()
                    self._station.active(False)
                    self._station.active(True)
                    self._station.config(reconnects=0)
            self._join(deadline, None, _ANY_ADDRESS)
            if known:
                known.keep_lease(self._station.ifconfig())
        except OSError as e:
            raise LinkError("no Wi-Fi: %s" % e)

    def _join(self, deadline, bssid, addresses):
        station = self._station
        station.ifconfig(addresses)
        station.connect(self._ssid, self._psk, bssid=bssid)
        given_up = 0
        while not station.isconnected():
            given_up = given_up + 1 if station.status() in _GIVEN_UP else 0
            if deadline.over() or given_up >= _LOOKS_TO_BELIEVE:
                raise LinkError("no Wi-Fi: status %d" % station.status())
            time.sleep_ms(_LOOK_EVERY_MS)

    def look_around(self, now_s):
        """Once a week, connected as it is: learn which access point of this name is heard best, if there are several."""
        known = self._remembered
        if not known or known.looked_s and 0 <= now_s - known.looked_s < _LOOK_AROUND_S:
            return
        known.looked_s = now_s
        ours = [found for found in self._station.scan() if found[0] == self._ssid.encode()]
        if len(ours) > 1:
            known.bssid = max(ours, key=lambda found: found[3])[1]

    def name_server(self):
        """Return the address of the name server that the network named."""
        return self._station.ifconfig()[3]

    def rssi_dbm(self):
        """Return the signal of the access point."""
        return self._station.status("rssi")

    def close(self):
        """Radio off."""
        self._station.active(False)
