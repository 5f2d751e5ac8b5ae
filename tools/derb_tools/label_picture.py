"""What a label looks like: one black-and-white picture, the same for paper and for label printers."""

import io
import zlib
from functools import cache
from pathlib import Path

import segno
from PIL import Image, ImageDraw, ImageFont, features

DPI, ZPL_DPI = 300, 203
WIDTH_MM, HEIGHT_MM = 50, 30
_MARGIN_MM = 1.5
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # no I, L, O, U: nothing that is read wrong aloud
_CODE_LETTERS = 5
_WHAT = {
    "parking": ("Capteur de stationnement", "مستشعر موقف السيارات", "Parking sensor"),
    "level": ("Capteur de remplissage", "مستشعر مستوى الحاوية", "Fill level sensor"),
}
_ARABIC = 1
# Debian's and most others' place of a font that has Arabic; Pillow's own has none.
_FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    "/usr/share/fonts/TTF/DejaVuSans.ttf",
    "/Library/Fonts/Arial Unicode.ttf",
    "/System/Library/Fonts/Supplemental/Arial Unicode.ttf",
)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def short_code(node: str) -> str:
    """Five letters and a check letter, to be said over the phone: of the id's hash, so neighbours differ in many."""
    number = zlib.crc32(bytes.fromhex(node))
    letters = [_CROCKFORD[number >> 5 * i & 31] for i in range(_CODE_LETTERS)]
    check = sum((i + 1) * _CROCKFORD.index(letter) for i, letter in enumerate(letters)) % 31
    return "".join(letters) + "-" + _CROCKFORD[check]


def draw(node: str, place: str, kind: str, url: str, dpi: int) -> Image.Image:
    """The label as a picture of one bit a pixel."""
    width, height, margin = (round(mm * dpi / 25.4) for mm in (WIDTH_MM, HEIGHT_MM, _MARGIN_MM))
    picture = Image.new("L", (width, height), 255)
    code = _qr(f"{url}{node}", height - 2 * margin)
    picture.paste(code, (margin, (height - code.height) // 2))
    left = margin + code.width + margin
    lines = _lines(node, place, kind)
    _write(ImageDraw.Draw(picture), lines, left, margin, width - left - margin, height - 2 * margin)
    return picture.convert("1", dither=Image.Dither.NONE)


def has_arabic() -> bool:
    """Whether this machine can set Arabic: a font that has it, and Pillow with the shaping of Raqm."""
    return _font_file() is not None and bool(features.check("raqm"))


def to_zpl(picture: Image.Image) -> bytes:
    """The picture for a label printer that speaks ZPL II: a graphic field, so that fonts do not matter."""
    row_bytes = (picture.width + 7) // 8
    black_is_one = bytes(byte ^ 0xFF for byte in picture.tobytes())
    pad = row_bytes * 8 - picture.width
    rows = [black_is_one[i : i + row_bytes] for i in range(0, len(black_is_one), row_bytes)]
    masked = [row[:-1] + bytes([row[-1] & (0xFF << pad & 0xFF)]) for row in rows]
    size = row_bytes * picture.height
    digits = b"".join(masked).hex().upper()
    return f"^XA^PW{picture.width}^LL{picture.height}^FO0,0^GFA,{size},{size},{row_bytes},{digits}^FS^XZ\n".encode()


def _qr(text: str, room: int) -> Image.Image:
    """The code with its quiet zone, as large as whole pixels a module allow."""
    code = segno.make(text, error="m", micro=False)
    scale = max(1, room // code.symbol_size(border=2)[0])
    png = io.BytesIO()
    code.save(png, kind="png", scale=scale, border=2)
    return Image.open(png).convert("L")


def _lines(node: str, place: str, kind: str) -> list[tuple[str, float, bool]]:
    """Text, its share of the height, whether it runs from right to left."""
    spaced = " ".join(node[i : i + 4] for i in range(0, 12, 4))
    lines = [("Derb", 0.9, False), (place, 1.5, False)] if place else [("Derb", 1.2, False)]
    lines += [(short_code(node), 1.5, False), (spaced, 1.0, False)]
    for number, words in enumerate(_WHAT[kind]):
        if number != _ARABIC or has_arabic():
            lines.append((words, 0.9, number == _ARABIC))
    return lines


def _write(
    canvas: ImageDraw.ImageDraw,
    lines: list[tuple[str, float, bool]],
    left: int,
    top: int,
    room: int,
    height: int,
) -> None:
    unit = height / sum(share for _, share, _ in lines)
    y = float(top)
    for words, share, from_right in lines:
        font = _fitting(words, round(unit * share * 0.82), room)
        if from_right:
            canvas.text(
                (left + room, y), words, font=font, fill=0, anchor="ra", direction="rtl", language="ar"
            )
        else:
            canvas.text((left, y), words, font=font, fill=0, anchor="la")
        y += unit * share


def _fitting(words: str, size: int, room: int) -> Font:
    while size > 6 and _font(size).getlength(words) > room:
        size -= 1
    return _font(size)


@cache
def _font(size: int) -> Font:
    file = _font_file()
    return ImageFont.truetype(str(file), size) if file else ImageFont.load_default(size)


@cache
def _font_file() -> Path | None:
    return next((Path(name) for name in _FONTS if Path(name).exists()), None)
