"""The file of a street's settings: every mistake names the file, the key and what would do; no secret is ever shown."""

import re
from pathlib import Path

import pytest
from derb_tools.errors import NodeFileError
from derb_tools.flash.node_file import read_node_file

GOOD = """
ssid = "derb-maarif"
psk = "a long secret"
broker = "10.0.0.2"
tls = "psk"
wake_s = 600
door_pin = 0
"""

# What is added to, or changed in, the good file; words that the message must have besides the file's name.
BAD = {
    "unknown setting": ('ssid = "derb-maarif"', 'sid = "derb"', "sid: there is no such setting", '"ssid"'),
    "unknown other": ("door_pin = 0", "dor_pin = 0", "dor_pin: there is no such setting", '"door_pin"'),
    "a number too low": (
        "wake_s = 600",
        "wake_s = 1",
        "wake_s: must be a whole number from 5 to 86400",
        "1)",
    ),
    "a number too high": ("wake_s = 600", "wake_s = 100000", "wake_s: must be a whole number", "100000"),
    "a number as text": ("wake_s = 600", 'wake_s = "600"', "wake_s: must be a whole number", "'600'"),
    "a fraction": ("wake_s = 600", "wake_s = 600.5", "wake_s: must be a whole number"),
    "yes for 1": ("wake_s = 600", "log = true", "log: must be a whole number from 0 to 1"),
    "a word that is none": ('tls = "psk"', 'tls = "on"', "tls: must be one of off, psk, ca", "'on'"),
    "another link": ('tls = "psk"', 'link = "lora"', "link: must be one of wifi, espnow", "'lora'"),
    "another kind": ('tls = "psk"', 'kind = "traffic"', "kind: must be one of parking, level"),
    "a name too long": ("derb-maarif", "d" * 33, "ssid: must be text of at most 32 bytes"),
    "a name too long in bytes": ("derb-maarif", "د" * 17, "ssid: must be text of at most 32 bytes"),
    "a secret too long": ("a long secret", "s" * 64, "psk: must be text of at most 63 bytes"),
    "a secret as a number": ('"a long secret"', "12345678", "psk: must be text"),
    "a table": ("wake_s = 600", "[wake]\ns = 600", "wake: there is no such setting"),
    "a pin as text": ("door_pin = 0", 'door_pin = "boot"', "door_pin: must be a whole number from 0 to 48"),
    "a pin that no chip has": ("door_pin = 0", "door_pin = 49", "door_pin: ", "(given: 49)"),
    "a key for updates cut off": (
        "door_pin = 0",
        'update_key = "00ff"',
        "update_key: must be 112 hex digits, as `derb release key` prints them",
    ),
    "a key for updates in words": ("door_pin = 0", 'update_key = "secret"', "update_key: must be 112 hex"),
    "a key for updates as a number": ("door_pin = 0", "update_key = 7", "update_key: must be 112 hex"),
    "an authority that is not there": (
        "door_pin = 0",
        'ca = "none.pem"',
        "ca: none.pem cannot be read: No such",
    ),
    "an authority that is none": ("door_pin = 0", 'ca = "mine.toml"', "ca: mine.toml is no certificate"),
    "an authority as a number": ("door_pin = 0", "ca = 5", "ca: must be the name of a file"),
    "an authority too large": (
        "door_pin = 0",
        'ca = "large.der"',
        "ca: large.der has 4000 bytes",
        "takes 3000",
    ),
    "not TOML": ("wake_s = 600", "wake_s 600", "is not TOML", "line 6"),
    "a value without quotes": ('"10.0.0.2"', "10.0.0.2", "is not TOML", "line 4"),
    "twice the same key": ("wake_s = 600", "wake_s = 600\nwake_s = 300", "is not TOML"),
}


def node_toml(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, "utf-8")
    path.chmod(0o600)
    (folder / "large.der").write_bytes(b"\x30\x82" + bytes(3998))
    return path


def test_the_good_file_of_these_tests_is_good(tmp_path: Path) -> None:
    read = read_node_file(node_toml(tmp_path, GOOD))
    assert read.settings["wake_s"] == 600
    assert (read.door_pin, read.ca, read.update_key) == (0, b"", b"")
    assert "secret" not in repr(read)


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_refused_with_file_key_and_remedy(case: str, tmp_path: Path) -> None:
    old, new, *wanted = BAD[case]
    assert GOOD.count(old) == 1
    path = node_toml(tmp_path, GOOD.replace(old, new))
    with pytest.raises(NodeFileError) as caught:
        read_node_file(path)
    told = str(caught.value)
    assert re.match(rf"{path}(:\d+)?: ", told)
    assert all(word in told for word in wanted), told
    assert "long secret" not in told
    assert "12345678" not in told


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("600", "1").replace('"psk"', '"on"').replace("door_pin = 0", "door_pin = -2")
    with pytest.raises(NodeFileError) as caught:
        read_node_file(node_toml(tmp_path, text))
    assert len(caught.value.problems) == 3


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = node_toml(tmp_path, GOOD)
    path.chmod(0o644)
    with pytest.raises(NodeFileError, match=rf"others can read it, and it holds secrets: chmod 600 {path}"):
        read_node_file(path)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NodeFileError, match="cannot be read: No such file"):
        read_node_file(tmp_path / "none.toml")
    path = node_toml(tmp_path, "")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(NodeFileError, match="is not UTF-8 text"):
        read_node_file(path)
