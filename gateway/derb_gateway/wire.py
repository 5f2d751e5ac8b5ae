"""Numbers on the wire: varint, svarint, durations (docs/protocol.md, Numbers). Pure."""

from derb_gateway.errors import QuarantineError

U32_MAX = 0xFFFF_FFFF
_LAST_SHIFT = 28  # the fifth byte of a varint
_DURATION_UNKNOWN = 255


class NumberError(QuarantineError):
    """The bytes are not a number in its shortest form."""


def read_varint(frame: bytes, at: int, end: int) -> tuple[int, int]:
    """Return (value, index after it); NumberError if cut off, too large or not in its shortest form."""
    value = shift = 0
    while at < end:
        byte = frame[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return _checked(value, byte, shift), at
        if shift == _LAST_SHIFT:
            raise NumberError("a varint has more than 5 bytes")
        shift += 7
    raise NumberError("a varint is cut off")


def _checked(value: int, last_byte: int, shift: int) -> int:
    if shift:
        if last_byte == 0:
            raise NumberError("a varint is not in its shortest form")
        if value > U32_MAX:
            raise NumberError("a varint is above 2^32 - 1")
    return value


def read_svarint(frame: bytes, at: int, end: int) -> tuple[int, int]:
    """Return (signed value, index after it); NumberError as `read_varint`."""
    zigzag, at = read_varint(frame, at, end)
    return (zigzag >> 1) ^ -(zigzag & 1), at


def write_varint(value: int) -> bytes:
    """Return the shortest form; ValueError outside 0..2^32 - 1."""
    if not 0 <= value <= U32_MAX:
        msg = f"{value} does not fit a varint"
        raise ValueError(msg)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_svarint(value: int) -> bytes:
    """Return a signed number of -2^31 to 2^31 - 1 as the varint of its zigzag; ValueError outside."""
    return write_varint(value << 1 if value >= 0 else -2 * value - 1)


def duration_s(code: int) -> int | None:
    """Return the seconds that a duration code stands for, None for 255 (not known)."""
    if code == _DURATION_UNKNOWN:
        return None
    if code < 16:
        return code
    return (16 + (code & 15)) << ((code >> 4) - 1)
