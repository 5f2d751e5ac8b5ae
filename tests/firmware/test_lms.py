"""LMS signatures: those that RFC 8554 prints are good ones, and nothing else is."""

import json

from derb import lms

TIMEOUT_S = 300


def _cases():
    with open("tests/vectors/lms.json") as file:
        for case in json.load(file):
            yield [bytes.fromhex(case[name]) for name in ("public", "message", "signature")]


def _changed(blob, at):
    return blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]


def test_the_signatures_of_the_rfc_are_good():
    sizes = []
    for public, message, signature in _cases():
        assert lms.verify(public, message, signature)
        assert len(signature) == lms.signature_size(public)
        sizes.append(len(signature))
    assert sizes == [2508, 1292]


def test_a_change_anywhere_is_seen():
    public, message, signature = list(_cases())[0]
    cases = 0
    for at in range(0, len(signature), 37):
        assert not lms.verify(public, message, _changed(signature, at)), at
        cases += 1
    for at in (0, 3, 4, 7, 8, 4 + 4, 8 + 32, 8 + 32 + 67 * 32, len(signature) - 1):
        assert not lms.verify(public, message, _changed(signature, at)), at
    for at in range(len(public)):
        assert not lms.verify(_changed(public, at), message, signature), at
        cases += 1
    for at in range(len(message)):
        assert not lms.verify(public, _changed(message, at), signature), at
        cases += 1
    print(cases, "changes")


def test_what_has_another_length_is_none():
    public, message, signature = list(_cases())[1]
    for bad in (b"", signature[:-1], signature + b"\0", signature[:40], bytes(len(signature))):
        assert not lms.verify(public, message, bad)
    for bad in (b"", public[:-1], public + b"\0", bytes(56), b"\xff" * 56):
        assert not lms.verify(bad, message, signature)
    assert not lms.verify(public, message + b"\0", signature)
    assert not lms.verify(public, b"", signature)


def test_one_trees_signature_is_none_of_anothers():
    (upper, _, signature), (lower, message, other) = _cases()
    assert not lms.verify(lower, message, signature)
    assert not lms.verify(upper, message, other)
