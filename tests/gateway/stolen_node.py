"""What a thief tries with a stolen node's key: MQTT over TLS by pre-shared key, in MicroPython as on the node.

One line of JSON on standard input: host, port, identity, key as hex, topics to publish and to subscribe. Prints what
became of each step, and each topic that was heard.
"""

import json
import socket
import sys

import tls
from umqtt import simple

asked = json.loads(sys.stdin.readline())
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
context.verify_mode = tls.CERT_NONE
context.psk_identity = asked["identity"]
context.psk_key = bytes.fromhex(asked["key"])
context.set_ciphers([name for name in context.get_ciphers() if "TLS-PSK-" in name])


class Sockets:
    """In place of umqtt's socket module: every socket is wrapped."""

    getaddrinfo = socket.getaddrinfo

    @staticmethod
    def socket(*rest):
        return Wrapped()


class Wrapped:
    def __init__(self):
        self._socket = socket.socket()

    def connect(self, address):
        self._socket.connect(address)
        self._socket = context.wrap_socket(self._socket)

    def __getattr__(self, name):
        return getattr(self._socket, name)


def step(name, call, *rest):
    try:
        call(*rest)
        print(name, "done")
    except (OSError, simple.MQTTException):
        print(name, "refused")


simple.socket = Sockets
client = simple.MQTTClient("thief", asked["host"], asked["port"], user="whoever", password="", keepalive=60)
client.set_callback(lambda topic, *rest: print("heard", topic.decode()))
step("connect", client.connect)
for topic in asked.get("publish", []):
    step("publish", client.publish, topic, b"stolen", False, 1)
for topic in asked.get("subscribe", []):
    step("subscribe", client.subscribe, topic)
if client.sock and asked.get("subscribe"):
    # What is retained comes before the answer to this.
    client.ping()
    while client.wait_msg() is not None:
        pass
