"""Wi-Fi for as long as one wake needs it."""

import time

import network
from micropython import const

from derb.links import LinkError

_LOOK_EVERY_MS = const(20)


class Wifi:
    """The station interface."""

    def __init__(self, ssid, psk):
        self._ssid = ssid
        self._psk = psk
        self._station = network.WLAN(network.STA_IF)

    def open(self, deadline):
        """Join the network, or raise LinkError when `deadline` is over or the driver gives up."""
        station = self._station
        try:
            station.active(True)
            # Left to itself the driver tries for ever, with the radio on.
            station.config(reconnects=0)
            station.connect(self._ssid, self._psk)
            while not station.isconnected():
                if deadline.over():
                    raise LinkError("no Wi-Fi: status %d" % station.status())
                time.sleep_ms(_LOOK_EVERY_MS)
        except OSError as e:
            raise LinkError("no Wi-Fi: %s" % e)

    def rssi_dbm(self):
        """Return the signal of the access point."""
        return self._station.status("rssi")

    def close(self):
        """Radio off."""
        self._station.active(False)
