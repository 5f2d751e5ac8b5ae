"""Commands: a closed list, ids that only rise, states that a person can read."""

import pytest
from derb_gateway.commands import (
    COMMANDS,
    Command,
    command_kind,
    encode_command,
    first_id,
    parse_duration_s,
)
from derb_gateway.errors import ConfigError
from gateway.kit import NOW_MS


def test_every_code_is_there_once() -> None:
    assert sorted(kind.code for kind in COMMANDS.values()) == list(range(1, len(COMMANDS) + 1))


def test_a_command_byte_for_byte() -> None:
    command = Command(300, "identify", 20, 1_795_000_060_999, NOW_MS)
    assert encode_command(command).hex() == "ac0201" + (1_795_000_060).to_bytes(4, "little").hex() + "14"


def test_a_dash_is_as_good_as_an_underscore_and_a_wrong_name_gets_a_hint() -> None:
    assert command_kind("self-test") is COMMANDS["self_test"]
    with pytest.raises(ConfigError, match="identify"):
        command_kind("identfy")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("7d", 604_800)])
def test_times_as_people_write_them(text: str, seconds: int) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-5m", "0s", "1.5h", "5 m", "9999999999s", "5w"])
def test_other_times_are_misuse(text: str) -> None:
    with pytest.raises(ConfigError, match="10m"):
        parse_duration_s(text)


def test_ids_of_now_are_below_what_a_node_takes_and_rise_with_time() -> None:
    assert 0 < first_id(0) < first_id(NOW_MS) < first_id(NOW_MS + 60_000) < 1 << 31
    assert first_id(4_000_000_000_000) < 1 << 31


def test_states() -> None:
    waiting = Command(1, "reboot", 0, NOW_MS, NOW_MS)
    assert waiting.state(NOW_MS) == "waiting"
    assert waiting.state(NOW_MS + 1) == "expired"
    assert waiting._replace(result="done").state(NOW_MS + 1) == "done"
