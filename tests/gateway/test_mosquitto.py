"""Mosquitto's configuration, and finding it."""

from pathlib import Path

import pytest
from derb_gateway.config import BrokerSettings
from derb_gateway.errors import BrokerMissing
from derb_gateway.mosquitto import find_mosquitto, mosquitto_conf, require_mosquitto


def test_the_limits_are_the_gateway_s_and_not_mosquitto_s() -> None:
    settings = BrokerSettings(
        port=1884, receive_maximum=700, max_queued_messages=5000, directory=Path("/var/lib/x")
    )
    lines = mosquitto_conf(settings).splitlines()
    for line in (
        "max_inflight_messages 700",
        "max_queued_messages 5000",
        "persistence true",
        "persistence_location /var/lib/x/",
        "set_tcp_nodelay true",
        "listener 1884 127.0.0.1",
        "allow_anonymous true",
    ):
        assert line in lines
    assert lines.index("per_listener_settings true") < lines.index("listener 1884 127.0.0.1")


def test_with_passwords_nobody_is_anonymous() -> None:
    lines = mosquitto_conf(BrokerSettings(password_list=Path("/etc/derb/passwords"))).splitlines()
    assert "allow_anonymous false" in lines
    assert "password_file /etc/derb/passwords" in lines


def test_it_is_found_where_a_path_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_mosquitto()
    assert found is not None
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_mosquitto() == found


def test_its_absence_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("derb_gateway.mosquitto.shutil.which", lambda *_, **__: None)
    with pytest.raises(BrokerMissing, match="apt-get install mosquitto"):
        require_mosquitto()
