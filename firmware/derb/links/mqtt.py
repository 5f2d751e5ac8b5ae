"""Frames over MQTT 3.1.1 with umqtt.simple, which every official ESP32 image carries.

Works with umqtt.simple 1.3.4 and with those frozen in 1.25 and later. What it lacks is given to it from below
(links/patient.py): deadlines and TLS. One client a connection and one connection a wake, so its packet ids never come
near 65,535, which they cannot pass.
"""

import binascii

from umqtt import simple

from derb.links import LinkError
from derb.links.patient import PatientSockets

# What a broker that misbehaves, or a connection that breaks, makes umqtt.simple raise.
_FAILURES = (OSError, simple.MQTTException, AssertionError, IndexError, ValueError, TypeError, MemoryError)
_MOST_WAITING = 8


class MqttLink:
    """A node's way to the broker. `radio` is opened first and closed last."""

    window = 6  # downlinks that may come at once: two fewer than are kept

    def __init__(self, radio, node, config, tls=None):
        self._radio = radio
        self._config = config
        self._tls = tls
        name = binascii.hexlify(node)
        self._name = b"derb-" + name
        self._up = b"d/" + name + b"/u"
        self._down = b"d/" + name + b"/d"
        self._client = None
        self._received = []

    def open(self, deadline):
        """Connect and subscribe to the downlink."""
        self._radio.open(deadline)
        config = self._config
        sockets = PatientSockets(deadline, self._tls, config.broker)
        simple.socket = sockets
        # A user name is always given: some brokers keep nothing for anonymous clients.
        self._client = simple.MQTTClient(
            self._name,
            config.broker,
            config.port,
            user=(config.user or self._name),
            password=config.password.encode(),
            keepalive=60,
        )
        self._client.set_callback(self._take)
        self._try(self._client.connect)
        self._try(self._client.subscribe, self._down, 0)
        self._sockets = sockets

    def send(self, frame):
        """Hand one frame to the broker. Its acknowledgement means only that older downlinks have come by now."""
        self._try(self._client.publish, self._up, frame, False, 1)

    def receive(self, deadline):
        """Return the next downlink, or None when `deadline` is over."""
        while not self._received:
            if not self._sockets.last.readable(deadline):
                return None
            self._try(self._client.check_msg)
        return self._received.pop(0)

    def waiting(self):
        """Return the downlinks that came unasked."""
        waiting, self._received = self._received, []
        return waiting

    def rssi_dbm(self):
        """Return the signal of the connection."""
        return self._radio.rssi_dbm()

    def close(self):
        """End the connection; what fails here has no consequence and is not reported."""
        if self._client and self._client.sock:
            try:
                self._client.disconnect()
            except _FAILURES:
                self._client.sock.close()
        self._radio.close()

    def _take(self, topic, message, *_):
        if topic == self._down:
            # The newest says all that the older ones did.
            del self._received[: -_MOST_WAITING + 1]
            self._received.append(bytes(message))

    def _try(self, call, *arguments):
        try:
            return call(*arguments)
        except _FAILURES as e:
            raise LinkError("MQTT: %s %s" % (type(e).__name__, e))
