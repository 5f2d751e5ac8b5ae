"""The line of a key in a TOML file."""

import pytest
from derb_gateway.toml_lines import line_of

TEXT = """site = "a"
[broker]
port = 1
[[sink]]
name = "x"  # [[sink]]
[[sink]]
name = "y"
[sink.tls]
ca_file = "z"
"""


@pytest.mark.parametrize(
    ("location", "line"),
    [
        (("site",), 1),
        (("broker", "port"), 3),
        (("broker", "host"), 2),
        (("sink",), 4),
        (("sink", 0, "name"), 5),
        (("sink", 1), 6),
        (("sink", 1, "tls", "ca_file"), 9),
        (("sink", 1, "tls", "key_file"), 8),
        (("store", "path"), None),
        ((), None),
    ],
)
def test_a_key_or_else_its_table(location: tuple[int | str, ...], line: int | None) -> None:
    assert line_of(TEXT, location) == line
