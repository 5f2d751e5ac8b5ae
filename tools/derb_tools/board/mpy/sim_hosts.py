"""The network behind the access point: names, the hosts that they stand for, and what is wrong with it.

Names resolve to addresses of a make-believe network, each of which stands for a host and port of the laptop.
"""

import errno
import select as _real_select
import socket as _real

import sim_network

SLICE_MS = 20

_DNS_MS = 15
_ROUND_TRIP_MS = 4
_DNS_FAILED = -202  # lwIP's EAI_FAIL

_clock = None
_faults = {}
_speed = 1
_names = {}
_hosts = {}
open_sockets = []


def setup(clock, hosts, faults, speed):
    """`hosts`: name -> [host, port] on the laptop. `faults`: dns, connect, read -> "ok", "stall", "fail".

    `speed`, a whole number: how much faster than real the board's clock runs while it waits for a peer.
    """
    global _clock, _faults, _speed
    _clock, _faults, _speed = clock, faults, speed
    for number, name in enumerate(sorted(hosts)):
        address = name if is_address(name) else "10.77.1.%d" % (number + 1)
        _names[name] = address
        _hosts[address] = hosts[name]
    clock.wait_on_network = wait


def is_address(name):
    return name.replace(".", "").isdigit()


def resolve(host):
    """The make-believe address of a name; it waits for ever when the network is silent, as on the ESP32."""
    if is_address(host):
        return host
    if not sim_network.connected():
        raise OSError(_DNS_FAILED)
    if _faults["dns"] == "stall" or not sim_network.online():
        _clock.stall()
    _clock.sleep(_DNS_MS * 1000)
    if _faults["dns"] == "fail" or host not in _names:
        raise OSError(_DNS_FAILED)
    return _names[host]


def answer(host):
    """How a name server answers just now: an address, "" for no such name, None for not at all."""
    if _faults["dns"] == "stall" or not sim_network.online():
        return None
    return "" if _faults["dns"] == "fail" else _names.get(host, "")


def connect(real, address):
    """Connect a socket of the laptop to what an address stands for; False when nobody ever answers."""
    if not sim_network.connected():
        raise OSError(errno.EHOSTUNREACH)
    target = _hosts.get(address)
    if target is None or _faults["connect"] == "stall" or not sim_network.online():
        return False
    _clock.sleep(_ROUND_TRIP_MS * 1000)
    if _faults["connect"] == "fail":
        raise OSError(errno.ECONNREFUSED)
    real.connect(_real.getaddrinfo(target[0], target[1])[0][-1])
    real.setblocking(False)
    return True


def stalled():
    """Whether connections are silent just now."""
    return _faults["read"] == "stall" or not sim_network.online()


def wait(us):
    """Wait in real time until an open socket has something to say, at most `us`; False if none is open."""
    waiting = [each for each in open_sockets if each.connected]
    if not waiting or stalled():
        return False
    poller = _real_select.poll()
    for each in waiting:
        poller.register(each.real, _real_select.POLLIN)
    until_us = _clock.raw_us() + us
    left_us = us
    while left_us > 0 and not pause(poller, min(SLICE_MS, left_us // 1000 // _speed + 1)):
        left_us = until_us - _clock.raw_us()
    return True


def slice_ms(ms):
    """The real time of one poll by a board that waits for so many milliseconds of its own."""
    return min(SLICE_MS, (ms + _speed - 1) // _speed)


def pause(poller, real_ms):
    """Poll in real time, in which the board's clock may run faster."""
    start_us = _clock.raw_us()
    ready = poller.poll(real_ms)
    _clock.charge((_clock.raw_us() - start_us) * (_speed - 1))
    return ready
