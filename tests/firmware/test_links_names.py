"""Answers of name servers: the right one is taken, and whatever else comes in is neither believed nor stumbled over."""

import struct

from derb.links import names

INTERPRETERS = ("unix64",)  # sockets

NUMBER = 0x1234
QUESTION = b"\x07gateway\x04derb\x00\x00\x01\x00\x01"


def _answer(records, number=NUMBER, flags=0x8180, count=None):
    count = len(records) if count is None else count
    return struct.pack(">HHHHHH", number, flags, 1, count, 0, 0) + QUESTION + b"".join(records)


def _record(kind, content, place=1):
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, place, 60, len(content)) + content


GOOD = _answer([_record(5, b"\x02gw\x04derb\x00"), _record(1, bytes((10, 77, 1, 1)))])


def test_the_address_is_found_behind_an_alias_and_with_the_bit_of_multicast():
    assert names._address_in(GOOD, NUMBER) == "10.77.1.1"
    assert names._address_in(_answer([_record(1, b"\x01\x02\x03\x04", 0x8001)], 0), 0) == "1.2.3.4"


def test_another_number_a_question_or_an_empty_answer_is_none():
    assert names._address_in(GOOD, NUMBER + 1) is None
    assert names._address_in(_answer([], flags=0x0100), NUMBER) is None
    assert names._address_in(_answer([]), NUMBER) is None


def test_no_such_name_is_told():
    try:
        names._address_in(_answer([], flags=0x8183), NUMBER)
    except OSError:
        return
    raise AssertionError("took a refusal for nothing")


def test_cut_off_or_changed_anywhere_it_never_crashes():
    tried = 0
    for length in range(len(GOOD)):
        assert names._address_in(GOOD[:length], NUMBER) is None
    for at in range(len(GOOD)):
        for bit in range(8):
            changed = bytearray(GOOD)
            changed[at] ^= 1 << bit
            try:
                names._address_in(bytes(changed), NUMBER)
            except OSError:
                pass  # it says that there is no such name
            tried += 1
    assert tried == 8 * len(GOOD)


def test_what_is_an_address_and_what_a_name():
    for host, is_address in (
        ("10.0.0.1", True),
        ("256.0.0.1", False),
        ("gateway.local", False),
        ("1.2.3", False),
    ):
        assert names.is_address(host) == is_address
    assert names._query(NUMBER, "gateway.derb")[12:] == QUESTION
