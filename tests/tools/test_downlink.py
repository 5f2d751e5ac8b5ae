"""The tools' reading of a downlink agrees with the gateway's writing, and no bytes make it stumble."""

import contextlib

from derb_gateway.downlink import Range, encode_downlink
from derb_gateway.frame import FrameError, tag
from derb_tools.downlink import LABEL, Downlink, decode_downlink
from hypothesis import given
from hypothesis import strategies as st

NODE = "240ac4a1b2c3"
KEY = bytes(range(32))
NUMBER = st.integers(0, 2**32 - 1)


@st.composite
def ranges(draw: st.DrawFn) -> Range:
    last = draw(NUMBER)
    return Range(draw(NUMBER), draw(st.integers(0, last)), last)


@given(NUMBER, st.booleans(), st.lists(ranges(), max_size=8), NUMBER, st.binary(max_size=40))
def test_what_the_gateway_writes_is_read_back(
    unix_s: int, synchronised: bool, wanted: list[Range], version: int, section: bytes
) -> None:
    frame = encode_downlink(
        NODE,
        KEY,
        time_s=unix_s,
        synchronised=synchronised,
        ranges=wanted,
        config_version=version,
        sections=[(7, section)],
    )
    assert decode_downlink(NODE, KEY, frame) == Downlink(
        unix_s, synchronised, version, tuple(wanted), ((7, section),)
    )


@given(st.binary(max_size=260))
def test_any_bytes_are_read_or_refused(frame: bytes) -> None:
    _read_or_refuse(frame)


@given(st.binary(min_size=1, max_size=200))
def test_any_signed_bytes_are_read_or_refused(content: bytes) -> None:
    signed = b"\x30" + content
    _read_or_refuse(signed + tag(LABEL, NODE, KEY, signed))


def _read_or_refuse(frame: bytes) -> None:
    with contextlib.suppress(FrameError):
        assert isinstance(decode_downlink(NODE, KEY, frame), Downlink)
