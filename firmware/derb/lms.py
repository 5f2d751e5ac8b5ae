"""Verifies a hash-based signature: LMS of RFC 8554 with SHA-256, which a stock MicroPython can compute. Pure.

Only verification: the secret key never comes near a board. With LMOTS W4 a signature takes some 500 hashes of 55 bytes.
"""

import hashlib
import struct

PUBLIC_SIZE = 56

_HEIGHTS = {5: 5, 6: 10, 7: 15}  # RFC 8554, table 2
_OTS = {3: (4, 67, 4), 4: (8, 34, 0)}  # table 1: w, p, ls
_N = 32
_D_PBLC = b"\x80\x80"
_D_MESG = b"\x81\x81"
_D_LEAF = b"\x82\x82"
_D_INTR = b"\x83\x83"


def verify(public, message, signature):
    """Return whether `signature` is by the key `public` (56 bytes) over `message`; False too for what is none."""
    try:
        return _verify(public, message, signature)
    except (ValueError, KeyError, IndexError):
        return False


def signature_size(public):
    """Return how many bytes a signature by this key has; raise KeyError for a kind that is not known here."""
    lms, ots = struct.unpack(">II", public[:8])
    return 12 + _N + _OTS[ots][1] * _N + _HEIGHTS[lms] * _N


def _verify(public, message, signature):
    if len(public) != PUBLIC_SIZE or len(signature) != signature_size(public):
        return False
    height = _HEIGHTS[struct.unpack(">I", public[:4])[0]]
    w, p, shift = _OTS[struct.unpack(">I", public[4:8])[0]]
    path_at = 8 + _N + p * _N
    if signature[4:8] != public[4:8] or signature[path_at : path_at + 4] != public[:4]:
        return False
    leaf = struct.unpack(">I", signature[:4])[0]
    if leaf >> height:
        return False
    key_id = public[8:24]
    digits = _digits(key_id + signature[:4], signature[8 : 8 + _N], message, w, p, shift)
    ots_public = _ots_public(key_id + signature[:4], signature, digits, w)
    return _root(key_id, leaf | 1 << height, ots_public, signature, path_at + 4) == public[24:]


def _digits(head, randomizer, message, w, p, shift):
    """Return the p digits of w bits of the message's hash and of their checksum (RFC 8554, 4.4)."""
    digest = hashlib.sha256(head + _D_MESG + randomizer)
    digest.update(message)
    digits = _split(digest.digest(), w)
    checksum = sum((1 << w) - 1 - digit for digit in digits) << shift
    digits.extend(_split(struct.pack(">H", checksum), w))
    return digits[:p]


def _split(blob, w):
    if w == 8:
        return list(blob)
    digits = []
    for byte in blob:
        digits.append(byte >> 4)
        digits.append(byte & 15)
    return digits


def _ots_public(head, signature, digits, w):
    """Return the one-time public key that the signature's chains end in (RFC 8554, algorithm 4b)."""
    ends = hashlib.sha256(head + _D_PBLC)
    # One buffer for all links of all chains: key id, leaf, chain, link, and the value so far.
    link = bytearray(head + bytes(3 + _N))
    last = (1 << w) - 1
    at = 8 + _N
    for i in range(len(digits)):
        struct.pack_into(">H", link, 20, i)
        value = signature[at : at + _N]
        at += _N
        for j in range(digits[i], last):
            link[22] = j
            link[23:] = value
            value = hashlib.sha256(link).digest()
        ends.update(value)
    return ends.digest()


def _root(key_id, number, ots_public, signature, at):
    """Return the root of the tree that has this leaf (RFC 8554, algorithm 6a)."""
    value = hashlib.sha256(key_id + struct.pack(">I", number) + _D_LEAF + ots_public).digest()
    while number > 1:
        other = signature[at : at + _N]
        at += _N
        pair = other + value if number & 1 else value + other
        number >>= 1
        value = hashlib.sha256(key_id + struct.pack(">I", number) + _D_INTR + pair).digest()
    return value
