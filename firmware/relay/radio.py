"""ESP-NOW for a relay: any number of nodes over twenty peers, a new start when the driver runs dry, losses counted."""

import gc

from micropython import const

PROBE = const(1)
HERE = const(2)
FIRST_FRAME = const(0x20)

_RX_BYTES = const(16384)  # about sixty full packets
_MOST_PEERS = const(20)
_FIRST_CHANNEL = const(1)
_BAD_ADDRESS = const(12390)  # ESP_ERR_ESPNOW_ARG: a sender that made its address up
_MOST_RESTARTS = const(5)


class Radio:
    """The radio of a relay. `station` is network.WLAN, `driver` espnow.ESPNow."""

    def __init__(self, station, driver, channel):
        self._station = station
        self._driver = driver
        self._peers = []  # least recently used first
        self._received = 0  # since the driver was started
        self.channel = channel if 1 <= channel <= 13 else _FIRST_CHANNEL
        self.restarts = 0
        self.vanished = (
            0  # the driver had them and did not hand them over: its memory was low (MicroPython #18224)
        )
        self._dropped = 0
        self._vain = 0  # restarts that did not help, in a row

    def start(self):
        """Switch the radio on; OSError."""
        self._station.active(True)
        # An idle station saves power by not listening.
        self._station.config(pm=self._station.PM_NONE)
        self._station.config(channel=self.channel)
        self._driver.config(rxbuf=_RX_BYTES)
        self._driver.active(True)
        self._peers = []
        self._received = 0

    def restart(self):
        """Begin anew, Wi-Fi and all: without that the driver's memory does not come back (ESP-IDF #18682)."""
        self.restarts += 1
        self._dropped = self.dropped()
        self._driver.active(False)
        self._station.active(False)
        self.start()

    def tune(self, channel):
        """Go to another channel; OSError where it is not allowed."""
        if channel != self.channel:
            self._station.config(channel=channel)
            self.channel = channel

    def receive(self):
        """Return (node, rssi_dbm, packet), or None when nothing waits."""
        if not self._driver.any():
            received = self._driver.stats()[3]
            if not self._driver.any():
                self._count_vanished(received - self._received)
                return None
        node, packet = self._driver.recv(0)
        if not node:
            return None
        self._received += 1
        # The driver's table grows with every address that anybody makes up.
        signal = self._driver.peers_table.pop(node, (0,))
        return bytes(node), max(-128, min(127, signal[0])), bytes(packet)

    def send(self, node, packet):
        """Return whether the node's radio acknowledged; OSError if it cannot be asked.

        A driver that fails is started anew and asked once more; RuntimeError when that has not helped for some time.
        """
        try:
            heard = self._try(node, packet)
        except OSError as e:
            if abs(e.errno) == _BAD_ADDRESS:
                raise
            if self._vain >= _MOST_RESTARTS:
                raise RuntimeError("the radio does not come back")
            self._vain += 1
            self.restart()
            heard = self._try(node, packet)
        self._vain = 0
        return bool(heard)

    def _try(self, node, packet):
        self._know(node)
        return self._driver.send(node, packet)

    def dropped(self):
        """Return how many packets the driver has dropped for want of room."""
        try:
            return self._dropped + self._driver.stats()[4]
        except OSError:
            return self._dropped  # it is not running

    def _know(self, node):
        if node in self._peers:
            self._peers.remove(node)
        else:
            if len(self._peers) >= _MOST_PEERS:
                self._driver.del_peer(self._peers.pop(0))
            self._driver.add_peer(node)  # one that is refused is not in our list either
        self._peers.append(node)

    def _count_vanished(self, missing):
        # Nothing waits, so what was received before and did not come here is nowhere.
        if missing > 0:
            gc.collect()
            self.vanished += missing
            self._received += missing
