"""The firmware is found in the checkout and in an installed wheel."""

from pathlib import Path

import pytest
from derb_tools import firmware_files
from derb_tools.errors import PartMissing


def test_the_checkout_has_the_firmware_and_the_boards() -> None:
    assert (firmware_files.firmware_dir() / "derb" / "frame.py").is_file()
    assert firmware_files.boards_dir().is_dir()


def test_the_wheels_copy_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "firmware" / "derb").mkdir(parents=True)
    monkeypatch.setattr(firmware_files, "IN_WHEEL", tmp_path)
    assert firmware_files.firmware_dir() == tmp_path / "firmware"


def test_an_installation_without_them_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firmware_files, "IN_WHEEL", tmp_path)
    monkeypatch.setattr(firmware_files, "CHECKOUT", tmp_path)
    with pytest.raises(PartMissing, match="install derb again"):
        firmware_files.firmware_dir()
