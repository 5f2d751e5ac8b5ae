"""Numbers on the wire, as docs/protocol.md has them."""

import pytest
from derb_gateway.wire import NumberError, duration_s, read_svarint, read_varint, write_varint
from derb_tools.wire import duration_code, write_svarint
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(0, 2**32 - 1))
def test_a_varint_comes_back(value: int) -> None:
    written = write_varint(value)
    assert len(written) <= 5
    assert read_varint(b"\xff" + written, 1, 1 + len(written)) == (value, 1 + len(written))


@given(st.integers(-(2**31), 2**31 - 1))
def test_an_svarint_comes_back(value: int) -> None:
    written = write_svarint(value)
    assert read_svarint(written, 0, len(written)) == (value, len(written))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "cut off"),
        ("80", "cut off"),
        ("8000", "shortest"),
        ("ff00", "shortest"),
        ("8080808000", "shortest"),
        ("ffffffff10", "above"),
        ("ffffffffff01", "more than 5"),
        ("808080808001", "more than 5"),
    ],
)
def test_a_varint_has_one_form_only(text: str, why: str) -> None:
    frame = bytes.fromhex(text)
    with pytest.raises(NumberError, match=why):
        read_varint(frame, 0, len(frame))


def test_a_varint_does_not_read_into_the_tag() -> None:
    with pytest.raises(NumberError, match="cut off"):
        read_varint(b"\x80\x01", 0, 1)


@pytest.mark.parametrize("value", [-1, 2**32])
def test_what_does_not_fit_is_not_written(value: int) -> None:
    with pytest.raises(ValueError, match="varint"):
        write_varint(value)


@pytest.mark.parametrize(
    ("code", "seconds"),
    [(0, 0), (15, 15), (16, 16), (31, 31), (32, 32), (33, 34), (48, 64), (254, 491_520), (255, None)],
)
def test_duration_codes(code: int, seconds: int | None) -> None:
    assert duration_s(code) == seconds
    assert duration_code(seconds) == code


@given(st.integers(0, 491_520))
def test_a_duration_code_says_at_most_a_seventeenth_too_little(seconds: int) -> None:
    said = duration_s(duration_code(seconds))
    assert said is not None
    assert seconds - said <= seconds / 17
