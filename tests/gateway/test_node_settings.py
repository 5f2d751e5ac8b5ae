"""Settings from afar: named, bounded, in a fixed order; what does not fit never goes out."""

import pytest
from derb_gateway.errors import ConfigError
from derb_gateway.node_settings import (
    decode_config,
    encode_config,
    node_settings,
    parse_changes,
    remote_setting,
)
from derb_gateway.wire import NumberError
from hypothesis import given
from hypothesis import strategies as st


def test_a_configuration_byte_for_byte() -> None:
    body = encode_config(300, {"broker": "home", "wake_s": 60})
    assert body.hex() == "ac02" + "0178" + "0d04" + b"home".hex()
    assert decode_config(body) == (300, {"wake_s": 60, "broker": "home"})


@given(
    st.dictionaries(
        st.sampled_from([s.name for s in node_settings().values() if s.remote and not s.longest]), st.none()
    )
)
def test_what_is_written_is_what_is_read(names: dict[str, None]) -> None:
    settings = {name: node_settings()[name].high for name in names}
    assert decode_config(encode_config(7, settings)) == (7, settings)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_changes(["wake_s=4", "wakes=5", "psk=geheim", "pings", "pings=x", "broker=" + "x" * 65])
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "wake_s", "wakes", "psk", "pings", "pings", "broker",
    ]  # fmt: skip
    assert "geheim" not in str(caught.value)


def test_an_empty_value_gives_a_setting_back() -> None:
    assert parse_changes(["wake_s=", "pings=5"]) == {"wake_s": None, "pings": 5}


def test_what_is_out_of_bounds_does_not_go_out() -> None:
    with pytest.raises(ConfigError):
        encode_config(1, {"wake_s": 4})


def test_pins_and_secrets_are_for_usb() -> None:
    for name in ("psk", "password", "i2c_scl", "kind"):
        with pytest.raises(ConfigError, match="USB"):
            remote_setting(name)


def test_a_secret_is_never_shown() -> None:
    assert node_settings()["psk"].shown("geheim") != "geheim"
    assert node_settings()["wake_s"].shown(5) == 5


@pytest.mark.parametrize("body", ["", "80", "0163", "01017801", "010d05", "010d", "0101780178"])
def test_bad_bodies_are_refused(body: str) -> None:
    with pytest.raises(NumberError):
        decode_config(bytes.fromhex(body))
