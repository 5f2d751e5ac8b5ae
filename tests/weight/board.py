"""A board for weighing: stand-ins for what a chip has and the 32-bit MicroPython lacks, with a street and a broker behind them.

All of it is loaded before anything is weighed. `umqtt.simple` is as well: official images have it frozen.
"""

import gc
import hashlib
import json
import os
import struct
import sys

import fake_chip
import micropython
from fake_chip import Now, machine, time
from fakes_nvs import FakeNvs

NODE = b"\x24\x0a\xc4\xa1\xb2\xc3"
KEY = bytes(range(32))
UNIX_S = 1798758000
FIELD = struct.pack("<hhh", 19841, -205, 20526)  # the Earth's, in the LIS3MDL's counts
ECHO_US = 5000


class Magnetometer:
    """An LIS3MDL that has a new sample whenever it is asked."""

    def __init__(self, *rest, **settings):
        self._registers = bytearray(64)
        self._registers[0x0F] = 0x3D
        self._registers[0x27] = 0x08
        self._registers[0x28:0x2E] = FIELD

    def readfrom_mem_into(self, address, register, buf):
        if address != 0x1C:
            raise OSError(19)
        register &= 0x7F
        buf[:] = self._registers[register : register + len(buf)]

    def writeto_mem(self, address, register, values):
        register &= 0x7F
        self._registers[register : register + len(values)] = values


class Rtc:
    """Its memory is no part of the heap."""

    def memory(self, record=None):
        if record is None:
            return bytes(RTC_MEMORY)
        RTC_MEMORY[: len(record)] = record
        return None


RTC_MEMORY = bytearray(2048)


class Pin:
    IN, OUT, PULL_UP = 1, 2, 3

    def __init__(self, number, *rest, value=0):
        pass

    def value(self, *level):
        return 1


class Adc:
    ATTN_11DB = 3

    def __init__(self, pin, atten):
        pass

    def read_uv(self):
        return 1900000


class Broker:
    """The other end of the only connection: a broker and the gateway behind it, whose receipt follows each frame at once."""

    def __init__(self):
        self._out = bytearray()
        self._said = bytearray()
        self.frames = 0

    def setblocking(self, flag):
        pass

    def connect(self, address):
        pass

    def close(self):
        pass

    def read(self, count):
        if not self._said:
            return None
        taken = bytes(self._said[:count])
        self._said = self._said[count:]
        return taken

    def write(self, buf):
        self._out.extend(buf)
        while len(self._out) > 1 and self._out[1] < 128 and len(self._out) >= 2 + self._out[1]:
            packet = bytes(self._out[: 2 + self._out[1]])
            self._out = self._out[2 + self._out[1] :]
            self._answer(packet)
        return len(buf)

    def _answer(self, packet):
        kind = packet[0] >> 4
        if kind == 1:
            self._said.extend(b"\x20\x02\x00\x00")
        elif kind == 8:
            self._said.extend(b"\x90\x03" + packet[2:4] + b"\x00")
        elif kind == 3:
            topic = packet[3] + 4
            self._said.extend(b"\x40\x02" + packet[topic : topic + 2])
            down = packet[4 : topic - 1] + b"d"
            receipt = downlink(packet[topic + 2 :])
            self._said.extend(bytes((0x30, 2 + len(down) + len(receipt), 0, len(down))) + down + receipt)
            self.frames += 1

    def waiting(self):
        return bool(self._said)


def downlink(frame):
    """The receipt for a frame, signed."""
    _, at = varint(frame, 1)
    last, _ = varint(frame, at)
    body = b"\x30" + struct.pack("<I", UNIX_S + time.time()) + b"\x00\x01" + frame[1:at]
    body += bytes((last, last)) if last < 128 else bytes((last & 127 | 128, last >> 7)) * 2
    block = KEY + bytes(32)
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in block) + b"derb1d" + NODE + body).digest()
    return body + hashlib.sha256(bytes(b ^ 0x5C for b in block) + inner).digest()[:8]


def varint(buf, at):
    value = shift = 0
    while True:
        value |= (buf[at] & 127) << shift
        at += 1
        shift += 7
        if buf[at - 1] < 128:
            return value, at


class Poll:
    def __init__(self):
        self._sockets = []

    def register(self, one, events):
        self._sockets.append(one)

    def unregister(self, one):
        self._sockets.remove(one)

    def modify(self, one, events):
        self._events = events

    def poll(self, ms=0):
        Now.ms += 1
        return [(one, 1) for one in self._sockets if one is BROKER and (self._events == 4 or one.waiting())]


class Wlan:
    def __init__(self, interface):
        pass

    def active(self, flag):
        pass

    def config(self, **settings):
        pass

    def connect(self, *rest, **settings):
        pass

    def ifconfig(self, *addresses):
        return ("10.0.0.2", "255.255.255.0", "10.0.0.1", "10.0.0.1")

    def isconnected(self):
        return True

    def status(self, *what):
        return -60

    def scan(self):
        return []


class Espnow:
    """A relay with a gateway behind it, whose receipt follows each frame at once."""

    def __init__(self):
        self.peers_table = {RELAY: [-60, 0]}
        self._coming = []

    def active(self, flag):
        pass

    def get_peers(self):
        return ()

    def add_peer(self, address):
        pass

    def send(self, address, packet):
        if packet[0] == 1:
            self._coming.append(b"\x02" + packet[1:5] + b"\x01\x01")
        else:
            self._coming.append(downlink(packet))
            BROKER.frames += 1
        return True

    def recv(self, ms):
        Now.ms += 1 if self._coming else ms
        return (RELAY, self._coming.pop(0)) if self._coming else (None, None)


RELAY = b"\x24\x0a\xc4\x00\x00\x01"
BROKER = Broker()
OUT = {}


def stand_in(name, **contents):
    module = fake_chip.Module()
    for key, value in contents.items():
        setattr(module, key, value)
    sys.modules[name] = module


def set_up(config, record):
    """Put everything in its place; `config` is JSON, `record` RTC memory as hex, "" after a loss of power."""
    stand_in("socket", socket=lambda *rest: BROKER, AF_INET=2, SOCK_STREAM=1)
    sys.modules["usocket"] = sys.modules["socket"]
    stand_in("select", poll=Poll, POLLIN=1, POLLOUT=4)
    stand_in("network", WLAN=Wlan, STA_IF=0)
    if not hasattr(os, "urandom"):
        named = {name: getattr(os, name) for name in dir(os) if name[0] != "_"}
        stand_in("os", urandom=bytes, **named)
    stand_in("espnow", ESPNow=Espnow)
    from umqtt import simple  # noqa: F401

    nvs = FakeNvs({"cfg": config.encode(), "key": KEY, "boot": 9000})
    for key, value in {
        "RTC": Rtc,
        "I2C": Magnetometer,
        "Pin": Pin,
        "ADC": Adc,
        "unique_id": lambda: NODE,
        "wake_reason": lambda: 4,
        "reset_cause": lambda: 4 if record else 1,
        "time_pulse_us": lambda pin, level, ms: ECHO_US,
    }.items():
        setattr(machine, key, value)
    time.sleep_us = lambda us: None
    RTC_MEMORY[: len(record) // 2] = bytes.fromhex(record)
    fake_chip.esp32.NVS = lambda name: nvs
    fake_chip.esp32.mcu_temperature = lambda: 20
    if record:
        Now.ms = 7200000


def begin():
    """What derb.wake does until the first stage."""
    from derb import once, wake
    from derb.crumbs import LOAD
    from derb.deadline import Deadline

    memory = wake.Memory(machine.RTC())
    crumbs = wake.Crumbs(memory)
    once.call("door", "opened", fake_chip.esp32.NVS("derb"), Deadline)
    crumbs.enter(LOAD)
    from derb.node import Node

    OUT["node"] = Node(memory, crumbs, wake.Storage(), fake_chip.esp32.NVS("derb"))


def step(stage):
    """A stage as the node runs it."""
    OUT["node"].run(stage)


def hold(stage):
    """A stage whose modules stay, to be weighed."""
    __import__("derb." + stage, None, None, ("run",)).run(OUT["node"])


def tell():
    """Print RTC memory as the next wake finds it, if this one got a receipt."""
    OUT["node"].crumbs.leave()
    if BROKER.frames and not OUT["node"].kept.failures:
        print("record", RTC_MEMORY.hex())


def whole_wake():
    """One wake from its first line to sleep; prints the heap that the stand-ins take, and how it ended."""
    gc.collect()
    stand_ins = gc.mem_alloc()
    micropython.qstr_info()
    from derb import wake

    said = {"stand_ins": stand_ins}
    machine.deepsleep = lambda ms: print(json.dumps(dict(said, sleep_ms=ms, frames=BROKER.frames)))
    wake.run()
