"""Frames over MQTT 3.1.1 with umqtt.simple, which every official ESP32 image carries.

Works with umqtt.simple 1.3.4 and with those frozen in 1.25 and later. What it lacks is given to it from below
(links/patient.py): deadlines and TLS. One client a connection and one connection a wake, so its packet ids never come
near 65,535, which they cannot pass.

The session is a persistent one. Once its subscription is known to stand, the next connection spares asking for it again;
what was retained then does not come by itself, and need not: the answer to the first frame says all that it said.
"""

import binascii

from umqtt import simple

from derb import crumbs, once
from derb.links import LinkError
from derb.links.patient import PatientSockets

# What a broker that misbehaves, or a connection that breaks, makes umqtt.simple raise.
_FAILURES = (OSError, simple.MQTTException, AssertionError, IndexError, ValueError, TypeError, MemoryError)
_MOST_WAITING = 8


class MqttLink:
    """A node's way to the broker. `radio` is opened first and closed last; `means` as in links/ways.py."""

    window = 6  # downlinks that may come at once: two fewer than are kept

    def __init__(self, radio, means):
        self._radio = radio
        self._means = means
        self._remembered = means.remembered
        name = binascii.hexlify(means.node)
        self._name = b"derb-" + name
        self._up = b"d/" + name + b"/u"
        self._down = b"d/" + name + b"/d"
        self._client = None
        self._received = []
        self._answered = False

    def open(self, deadline):
        """Connect, and subscribe to the downlink if that does not stand from before."""
        means = self._means
        tls = None
        if means.config.tls != "off":
            tls = once.call("links.secure", "context", means.config, means.node, means.key, means.nvs)
        means.enter(crumbs.CONNECT)
        self._radio.open(deadline)
        sockets = PatientSockets(deadline, tls, means.config.broker, means.enter)
        address = self._address(deadline)
        means.enter(crumbs.CONNECT)
        self._client = self._make_client(sockets, address)
        stood = self._try(self._client.connect, False) and self._remembered.session
        if not stood:
            self._try(self._client.subscribe, self._down, 0)
        self._sockets = sockets
        self._remembered.broker = address

    def _make_client(self, sockets, address):
        simple.socket = sockets
        config = self._means.config
        # A user name is always given: some brokers keep nothing for anonymous clients.
        client = simple.MQTTClient(
            self._name,
            address,
            config.port,
            user=(config.user or self._name),
            password=config.password.encode(),
            keepalive=60,
        )
        client.set_callback(self._take)
        return client

    def _address(self, deadline):
        known = self._remembered.broker
        if known:
            return known
        host = self._means.config.broker
        return self._try(once.call, "links.names", "address_of", host, self._name_server, deadline)

    def _name_server(self):
        self._means.enter(crumbs.NAME)
        return self._radio.name_server()

    def send(self, frame):
        """Hand one frame to the broker. Its acknowledgement means only that older downlinks have come by now."""
        self._try(self._client.publish, self._up, frame, False, 1)

    def receive(self, deadline):
        """Return the next downlink, or None when `deadline` is over."""
        while not self._received:
            if not self._sockets.last.readable(deadline):
                return None
            self._try(self._client.check_msg)
        # The subscription stands: something came by it.
        self._remembered.session = 1
        self._answered = True
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
                if self._answered:
                    self._radio.look_around(self._means.now_s())
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
            # A wrong memory must not cost a second connection.
            self._remembered.forget()
            raise LinkError("MQTT: %s %s" % (type(e).__name__, e))
