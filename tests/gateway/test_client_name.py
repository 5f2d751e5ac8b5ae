"""Every gateway has a name of its own at the broker, and keeps it."""

import re
from pathlib import Path

import pytest
from derb_gateway.client_name import client_name

STORE = Path("/var/lib/derb/derb.sqlite3")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    path = tmp_path / "machine-id"
    path.write_text("0123456789abcdef0123456789abcdef\n")
    return path


def test_it_is_the_same_at_every_start_and_says_the_site(machine: Path) -> None:
    name = client_name("maarif", STORE, machine)
    assert re.fullmatch("derb-maarif-[0-9a-f]{8}", name)
    assert client_name("maarif", STORE, machine) == name
    assert len(name) <= 23, "no broker of MQTT 3.1.1 must take more"
    assert "01234567" not in name


def test_gateways_of_one_site_have_different_ones(machine: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("fedcba9876543210fedcba9876543210\n")
    names = {
        client_name("maarif", store, where)
        for store in (STORE, STORE.with_name("second.sqlite3"))
        for where in (machine, other)
    }
    assert len(names) == 4


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00"], ids=["none", "empty", "no text"])
def test_a_machine_without_a_number_has_its_host_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    nowhere, names = tmp_path / "machine-id", set()
    if content is not None:
        nowhere.write_bytes(content)
    for host in ("pi-1", "pi-1", "pi-2"):
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        names.add(client_name("maarif", STORE, nowhere))
    assert len(names) == 2
