"""Answers to commands: what became of each, as a reading."""

from micropython import const

from derb import reading

DONE = const(1)
STARTED = const(2)
FAILED = const(3)
EXPIRED = const(4)
REFUSED = const(5)


def answer(command, result, value):
    """Return (kind, payload, urgent) for the id of a command."""
    out = bytearray()
    reading.put_varint(out, command)
    out.append(result)
    reading.put_svarint(out, value)
    return reading.ANSWER, bytes(out), True
