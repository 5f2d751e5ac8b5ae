"""A node's label: the code on it is the node's, the same picture on paper and on a label printer."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import segno
from derb_tools import label_picture
from derb_tools.label import write_label
from derb_tools.label_picture import DPI, draw, has_arabic, short_code, to_zpl
from PIL import Image
from tools.command import run_derb

NODE = "240ac4a1b2c3"


def code_on(picture: Image.Image, text: str) -> list[list[bool]]:
    """The modules of the QR code on a label, read from its pixels."""
    size = segno.make(text, error="m", micro=False).symbol_size(border=0)[0]
    left, upper, _, _ = picture.convert("L").point(lambda grey: 255 - grey).getbbox() or (0, 0, 0, 0)
    dark_run = next(x for x in range(left, picture.width) if picture.getpixel((x, upper + 2))) - left
    scale = dark_run // 7  # a finder pattern is seven modules wide
    return [
        [
            picture.getpixel((left + x * scale + scale // 2, upper + y * scale + scale // 2)) == 0
            for x in range(size)
        ]
        for y in range(size)
    ]


@pytest.mark.parametrize("url", ["derb:", "https://city.example/n/"])
@pytest.mark.parametrize("dpi", [300, 203])
def test_the_code_on_the_picture_is_the_nodes(url: str, dpi: int) -> None:
    wanted = segno.make(f"{url}{NODE}", error="m", micro=False)
    cropped = draw(NODE, "maarif-001", "parking", url, dpi)
    code = cropped.crop((0, 0, cropped.height * 86 // 100, cropped.height))  # text begins to the right of it
    assert code_on(code, f"{url}{NODE}") == [[bool(each) for each in row] for row in wanted.matrix]


def test_every_line_stays_on_the_label() -> None:
    for kind in ("parking", "level"):
        picture = draw(NODE, "W" * 40, kind, "derb:", DPI).convert("L")
        assert picture.size == (591, 354)
        edges = [picture.crop(box) for box in ((586, 0, 591, 354), (0, 0, 591, 3), (0, 351, 591, 354))]
        assert all(edge.getextrema() == (255, 255) for edge in edges)


def test_a_short_code_has_a_check_letter_and_neighbours_differ() -> None:
    assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]", short_code(NODE))
    neighbours = {short_code(f"240ac4a1{number:04x}") for number in range(500)}
    assert len(neighbours) == 500


def test_the_printers_picture_is_the_same(tmp_path: Path) -> None:
    picture = draw(NODE, "maarif-001", "level", "derb:", 203)
    zpl = to_zpl(picture).decode()
    found = re.fullmatch(r"\^XA\^PW(\d+)\^LL(\d+)\^FO0,0\^GFA,(\d+),\3,(\d+),([0-9A-F]+)\^FS\^XZ\n", zpl)
    assert found
    width, height, _, row_bytes, digits = found.groups()
    assert (int(width), int(height)) == picture.size
    drawn = Image.frombytes(
        "1", (int(row_bytes) * 8, int(height)), bytes(255 ^ b for b in bytes.fromhex(digits))
    )
    assert drawn.crop((0, 0, *picture.size)).tobytes() == picture.tobytes()


def test_without_a_font_for_arabic_the_other_lines_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    had_arabic = has_arabic()
    whole = draw(NODE, "maarif-001", "parking", "derb:", DPI)
    for cached in (label_picture._font, label_picture._font_file):
        cached.cache_clear()
    monkeypatch.setattr(label_picture, "_FONTS", ())
    assert not has_arabic()
    bare = draw(NODE, "maarif-001", "parking", "derb:", DPI)
    assert (bare.tobytes() != whole.tobytes()) == had_arabic
    assert bare.tobytes() != draw(NODE, "maarif-002", "parking", "derb:", DPI).tobytes()
    assert bare.tobytes() != draw(NODE, "maarif-001", "level", "derb:", DPI).tobytes()
    for cached in (label_picture._font, label_picture._font_file):
        cached.cache_clear()


def test_files_are_what_their_names_say(tmp_path: Path) -> None:
    for suffix, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("zpl", b"^XA")):
        write_label(tmp_path / f"label.{suffix}", NODE, "maarif-001", "parking")
        assert (tmp_path / f"label.{suffix}").read_bytes().startswith(magic)


def test_scripts_are_told_the_short_code(tmp_path: Path) -> None:
    made = run_derb("label", NODE, "--out", tmp_path / "a.png", "--json")
    told = {"file": str(tmp_path / "a.png"), "node": NODE, "short_code": short_code(NODE)}
    assert json.loads(made.stdout) == told


@pytest.mark.parametrize(
    "words",
    [
        ("xyz", "--out", "a.png"),
        (NODE, "--out", "a.doc"),
        (NODE,),
        (NODE, "--out", "a.png", "--place", "x" * 60),
    ],
)
def test_misuse_is_exit_code_2(words: tuple[str, ...], tmp_path: Path) -> None:
    assert run_derb("label", *words).returncode == 2
