"""What looks like a secret is starred, and what is no secret stays readable."""

import pytest
from derb_gateway.redaction import is_secret, redacted
from gateway.kit import KEY, NODE


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot reach mqtt://city:pa55@host:1883/x", "cannot reach mqtt://city:***@host:1883/x"),
        ("https://host:8080/path?at=a@b", "https://host:8080/path?at=a@b"),
        ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"),
        (f"node {NODE} has {KEY.hex()} here", f"node {NODE} has *** here"),
        (f"{KEY.hex().upper()}", "***"),
        (f"sha {'0' * 65}", f"sha {'0' * 65}"),
        ("a basic fault", "a basic fault"),
    ],
)
def test_text(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_names() -> None:
    assert all(map(is_secret, ("password", "token", "node_key", "city_password", "PSK")))
    assert not any(map(is_secret, ("key", "node", "keyboard", "tokens", "why")))
