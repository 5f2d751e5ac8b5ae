"""Boards with tiny firmwares, written into the test."""

from __future__ import annotations

import struct
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from derb_tools.board import SimBoard

NODE_ID = bytes.fromhex("240ac4a1b2c3")
KEY = bytes(range(32))

MakeBoard = Callable[..., SimBoard]


def write_mag(file: Path, samples: Sequence[tuple[int, int, int, int]], period_ms: int = 1000) -> Path:
    """A `*.mag` recording of (x_nt, y_nt, z_nt, temp_c100)."""
    head = struct.pack("<8sII", b"DERBMAG1", period_ms, len(samples))
    file.write_bytes(head + b"".join(struct.pack("<iiih", *sample) for sample in samples))
    return file


def write_echo(file: Path, readings: Sequence[tuple[int, list[int]]], period_ms: int = 1000) -> Path:
    """An `*.echo` recording of (temp_c100, echoes in us)."""
    pings = len(readings[0][1])
    head = struct.pack("<8sIHHI", b"DERBECH1", period_ms, pings, 0, len(readings))
    records = (struct.pack(f"<h{pings}i", temp_c100, *echoes) for temp_c100, echoes in readings)
    file.write_bytes(head + b"".join(records))
    return file


@pytest.fixture
def make_board(tmp_path: Path) -> MakeBoard:
    """A board, fresh from the factory, whose main.py is the given source."""

    def make(source: str, name: str = "board", **options: Any) -> SimBoard:
        firmware = tmp_path / f"{name}-firmware"
        firmware.mkdir()
        (firmware / "main.py").write_text(textwrap.dedent(source))
        options = {"node_id": NODE_ID, "config": {"kind": "parking"}, "key": KEY, **options}
        board = SimBoard(tmp_path / name, firmware, **options)
        board.factory()
        return board

    return make
