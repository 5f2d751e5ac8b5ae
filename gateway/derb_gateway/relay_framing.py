"""Frames on a relay's serial line: COBS between zero bytes, with a CRC-32 (docs/protocol.md). Pure."""

import struct
import zlib

CONTENT_MAX_BYTES = 300
_CODED_MAX_BYTES = 308
_CRC_BYTES = 4
_RUN = 254


def encode(content: bytes) -> bytes:
    """Return the bytes for the line, with the zero bytes around them."""
    out = bytearray(b"\0")
    chunks = (content + struct.pack("<I", zlib.crc32(content))).split(b"\0")
    for number, chunk in enumerate(chunks):
        rest = chunk
        while len(rest) >= _RUN:
            out += b"\xff" + rest[:_RUN]
            rest = rest[_RUN:]
        ends_full = bool(chunk) and not rest and number == len(chunks) - 1
        if not ends_full:
            out.append(len(rest) + 1)
            out += rest
    return bytes(out + b"\0")


def decode(coded: bytes) -> bytes | None:
    """Return the content of what stood between two zero bytes, None if it is not intact."""
    out = bytearray()
    at = 0
    while at < len(coded):
        code = coded[at]
        end = at + code
        if code == 0 or end > len(coded):
            return None
        out += coded[at + 1 : end]
        at = end
        if code <= _RUN and at < len(coded):
            out.append(0)
    content, crc = bytes(out[:-_CRC_BYTES]), bytes(out[-_CRC_BYTES:])
    return content if content and struct.pack("<I", zlib.crc32(content)) == crc else None


class Splitter:
    """Cuts a stream into contents; whatever comes, it holds no more than one frame.

    `bad` counts what was not intact or too long. `text` keeps the end of what looked like words: a board that
    starts, or fails, prints them in between.
    """

    def __init__(self) -> None:
        self.bad = 0
        self.text = ""
        self._coded = bytearray()
        self._too_long = False

    def feed(self, received: bytes) -> list[bytes]:
        """Return the contents of the frames that `received` completes."""
        contents = []
        *ended, rest = received.split(b"\0")
        for piece in ended:
            self._add(piece)
            content = self._finish()
            if content is not None:
                contents.append(content)
        self._add(rest)
        return contents

    def _add(self, piece: bytes) -> None:
        if len(self._coded) + len(piece) > _CODED_MAX_BYTES:
            self._too_long = True
            self._coded += piece
            del self._coded[:-_CODED_MAX_BYTES]
        else:
            self._coded += piece

    def _finish(self) -> bytes | None:
        coded, too_long = bytes(self._coded), self._too_long
        self._coded.clear()
        self._too_long = False
        if not coded:
            return None  # the zero byte that begins a frame
        content = None if too_long else decode(coded)
        if content is None:
            self.bad += 1
            self._note(coded)
        return content

    def _note(self, coded: bytes) -> None:
        words = coded.decode("ascii", errors="replace").strip()
        if (
            words
            and all(letter.isprintable() or letter.isspace() for letter in words)
            and "\ufffd" not in words
        ):
            self.text = words
