"""Frames on the serial line: COBS between zero bytes, with a CRC-32 (docs/protocol.md, The serial line of a relay). Pure."""

import binascii
import struct

from micropython import const

MAX_CONTENT = const(300)
_CRC_SIZE = const(4)
_MAX_CODED = const(308)  # content, CRC, two bytes of COBS, and a little
_RUN = const(254)


def encode(content):
    """Return the bytes for the line: a zero byte, the coded content, a zero byte."""
    checked = content + struct.pack("<I", binascii.crc32(content) & 0xFFFFFFFF)
    chunks = checked.split(b"\x00")
    out = bytearray(1)
    for number, chunk in enumerate(chunks):
        full = False
        while len(chunk) >= _RUN:
            out.append(255)
            out.extend(chunk[:_RUN])
            chunk = chunk[_RUN:]
            full = True
        if chunk or not full or number < len(chunks) - 1:  # a full run that ends it all stands alone
            out.append(len(chunk) + 1)
            out.extend(chunk)
    out.append(0)
    return bytes(out)


def decode(coded):
    """Return the content of what stood between two zero bytes, or None if it is not intact."""
    out = bytearray()
    at = 0
    while at < len(coded):
        code = coded[at]
        end = at + code
        if code == 0 or end > len(coded):
            return None
        out.extend(coded[at + 1 : end])
        at = end
        if code < 255 and at < len(coded):
            out.append(0)
    content = bytes(out[:-_CRC_SIZE])
    if not content or struct.pack("<I", binascii.crc32(content) & 0xFFFFFFFF) != bytes(out[-_CRC_SIZE:]):
        return None
    return content


class Splitter:
    """Cuts a stream into contents; whatever comes, it holds no more than one frame."""

    def __init__(self):
        self._coded = bytearray()
        self._skipping = False
        self.bad = 0  # frames that were not intact or too long

    def feed(self, received):
        """Return the contents of the frames that `received` completes."""
        contents = []
        at = 0
        while True:
            zero = received.find(b"\x00", at)
            self._add(received[at : len(received) if zero < 0 else zero])
            if zero < 0:
                return contents
            at = zero + 1
            content = self._finish()
            if content is not None:
                contents.append(content)

    def _add(self, piece):
        if self._skipping or len(self._coded) + len(piece) > _MAX_CODED:
            self._skipping = True
            self._coded = bytearray()
        else:
            self._coded.extend(piece)

    def _finish(self):
        coded, self._coded = self._coded, bytearray()
        skipped, self._skipping = self._skipping, False
        if not coded and not skipped:
            return None  # the zero byte that begins a frame
        content = None if skipped else decode(coded)
        self.bad += content is None
        return content
