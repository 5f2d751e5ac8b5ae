"""What happens around the writing: a cable that is pulled, a Ctrl-C, settings that the image does not know."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from derb_tools.errors import AskedWrong, NoBoard, PortError
from derb_tools.flash import at_loader, flashing
from derb_tools.flash.at_loader import patiently
from derb_tools.flash.flashing import Wish, check_tls, flash
from derb_tools.flash.image_store import default_store
from derb_tools.flash.node_file import NodeFile
from derb_tools.flash.steps import Steps
from derb_tools.flash.writing import LineLost

from tests.tools.flash.images import micropython_for
from tests.tools.flash.test_writing import FakeChip, image


def test_a_pulled_cable_is_told_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter([False, False, False, True])
    rests: list[float] = []
    told: list[str] = []

    @contextlib.contextmanager
    def there(port: str, _mode: str, _baud: int) -> Iterator[str]:
        yield port

    monkeypatch.setattr(at_loader, "is_there", lambda _: next(seen))
    monkeypatch.setattr(at_loader.time, "sleep", rests.append)
    monkeypatch.setattr(at_loader, "connected", there)
    with patiently("/dev/ttyUSB0", "default-reset", told.append) as chip:
        assert chip == "/dev/ttyUSB0"
    assert told == ["the cable is out: plug the board in again, it goes on where it stopped"]
    assert len(rests) == 2


def test_a_line_that_fails_is_tried_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    chip = FakeChip()
    asked: list[int] = []

    @contextlib.contextmanager
    def poor_cable(_port: str, _mode: str, baud: int) -> Iterator[FakeChip]:
        asked.append(baud)
        if baud > 115_200:
            raise LineLost("garbled")
        yield chip

    monkeypatch.setattr(at_loader, "is_there", lambda _: True)
    monkeypatch.setattr(at_loader, "connected", poor_cable)
    flashing._written(image(), "/dev/ttyUSB0", "default-reset", lambda _: None, lambda _: None)
    assert chip.holds(image())
    assert asked == [460_800, 460_800, 230_400, 115_200]


def test_a_ctrl_c_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    told: list[str] = []
    monkeypatch.setattr(flashing, "write_image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        flashing._written(None, "/dev/ttyUSB0", "default-reset", told.append, lambda _: None)  # type: ignore[arg-type]
    assert "the same command goes on where it stopped" in told[0]


def test_a_board_that_does_not_answer_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def silent(_port: str, _mode: str) -> Iterator[str]:
        raise LineLost("no serial data received")
        yield ""

    wish = Wish(None, None, NodeFile(), None)
    with pytest.raises(
        PortError, match=r"/dev/x: is not there; plug the board in, or name another with --port"
    ):
        flash("/dev/x", wish, default_store(), Steps(quiet=True), lambda _: None)
    monkeypatch.setattr(at_loader, "is_there", lambda _: True)
    monkeypatch.setattr(at_loader, "connected", silent)
    with pytest.raises(NoBoard, match=r"no board answers at /dev/x \(no serial data received\): hold BOOT"):
        flash("/dev/x", wish, default_store(), Steps(quiet=True), lambda _: None)


def test_a_tls_that_the_image_does_not_know_is_refused() -> None:
    street = NodeFile(Path("street.toml"), {"tls": "psk"})
    with pytest.raises(
        AskedWrong, match=r'street\.toml: tls = "psk" needs MicroPython 1\.29\.0, and this is 1\.25\.0'
    ):
        check_tls(street, micropython_for("esp32"))
    check_tls(street, replace(micropython_for("esp32"), version=(1, 29, 0)))
    check_tls(NodeFile(settings={"tls": "ca"}), micropython_for("esp32"))
