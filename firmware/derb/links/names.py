"""The address of a name, with a deadline: `getaddrinfo()` has none on the ESP32 and holds the node until the watchdog bites.

One question for an A record over UDP (RFC 1035). A name that ends in `.local` is asked for by multicast, as a one-shot
query (RFC 6762, section 5.1).
"""

import os
import select
import socket
import struct

from micropython import const

_PORT = const(53)
_LOCAL_PORT = const(5353)
_LOCAL_GROUP = "224.0.0.251"
_RECURSION = const(0x0100)
_TYPE_A = const(1)
_CLASS_IN = const(1)
_MOST_BYTES = const(512)
_REPEAT_MS = const(1500)
_ETIMEDOUT = const(110)
_EINVAL = const(22)


def is_address(host):
    """Return whether it is an IPv4 address already."""
    parts = host.split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)


def address_of(host, name_server, deadline):
    """Return `host` if it is an address, else what `resolve` finds; `name_server()` says whom to ask."""
    return host if is_address(host) else resolve(host, name_server(), deadline)


def resolve(host, server, deadline):
    """Return the IPv4 address of `host` as text; OSError when there is none or `deadline` is over."""
    local = host.endswith(".local")
    target = (_LOCAL_GROUP, _LOCAL_PORT) if local else (server, _PORT)
    number = 0 if local else int.from_bytes(os.urandom(2), "little")
    query = _query(number, host)
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        asking.setblocking(False)
        poll = select.poll()
        poll.register(asking, select.POLLIN)
        while not deadline.over():
            asking.sendto(query, target)
            until = deadline.within(_REPEAT_MS)
            while poll.poll(until.left()):
                answer, sender = asking.recvfrom(_MOST_BYTES)
                address = _address_in(answer, number) if local or _is_from(sender, target) else None
                if address:
                    return address
    finally:
        asking.close()
    raise OSError(_ETIMEDOUT)


def _is_from(sender, target):
    # Some ports give the sender packed; what cannot be compared is judged by its number alone.
    return not isinstance(sender, tuple) or sender[0] == target[0] and sender[1] == target[1]


def _query(number, host):
    out = bytearray(struct.pack(">HHHHHH", number, _RECURSION if number else 0, 1, 0, 0, 0))
    for label in host.encode().split(b"."):
        if not 1 <= len(label) <= 63:
            raise OSError(_EINVAL)
        out.append(len(label))
        out.extend(label)
    out.extend(struct.pack(">BHH", 0, _TYPE_A, _CLASS_IN))
    return bytes(out)


def _address_in(answer, number):
    """Return the first address in an answer to our question, None if it is not one; OSError if it says that there is none."""
    try:
        answered, flags, questions, records = struct.unpack(">HHHH", answer[:8])
        if answered != number or not flags >> 15:
            return None
        if flags & 15:
            raise OSError(-(flags & 15))
        at = 12
        for _ in range(questions):
            at = _after_name(answer, at) + 4
        for _ in range(records):
            at = _after_name(answer, at)
            kind, place, _, length = struct.unpack(">HHIH", answer[at : at + 10])
            at += 10
            if kind == _TYPE_A and place & 0x7FFF == _CLASS_IN and length == 4:
                return ".".join(str(byte) for byte in answer[at : at + 4]) if at + 4 <= len(answer) else None
            at += length
    except (ValueError, IndexError):
        return None  # cut off, or garbage: not the answer that is waited for
    return None


def _after_name(packet, at):
    while packet[at]:
        if packet[at] >= 0xC0:
            return at + 2
        at += 1 + packet[at]
    return at + 1
