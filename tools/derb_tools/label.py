"""`derb label`: a node's label, with a QR code, for a printer or a sheet of paper."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from derb_gateway.registry import node_id

from derb_tools.errors import AskedWrong
from derb_tools.label_picture import DPI, ZPL_DPI, draw, short_code, to_zpl

_PLACE_LONGEST = 40


class Kind(StrEnum):
    """What the node watches; it stands on the label in three languages."""

    PARKING = "parking"
    LEVEL = "level"


def label(
    node: Annotated[str, typer.Argument(metavar="NODE", help="Its id, 12 hex digits.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="FILE.png, .pdf, or .zpl for a label printer.")
    ],
    place: Annotated[str, typer.Option(help="What it watches: the bay or container's id.")] = "",
    kind: Annotated[Kind, typer.Option(help="What kind of node it is.")] = Kind.PARKING,
    url: Annotated[str, typer.Option(help="What the QR code leads to, before the node's id.")] = "derb:",
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")] = False,
) -> None:
    """Make a label of 50 by 30 mm: QR code, id, short code to be read over the phone, place, what it is.

    \b
    derb label 240ac4a1b2c3 --place maarif-001 --out label.png
    derb label 240ac4a1b2c3 --place bin-7 --kind level --out label.pdf
    derb label 240ac4a1b2c3 --out label.zpl; lp -d zebra -o raw label.zpl

    No key is on it. Ids and places are Latin; what the node is stands in French, Arabic and English.
    """
    try:
        known = node_id(node)
    except ValueError as error:
        raise typer.BadParameter(f"{node!r} {error}") from None
    if len(place) > _PLACE_LONGEST or not place.isprintable():
        raise typer.BadParameter(f"--place has at most {_PLACE_LONGEST} printable characters on a label")
    try:
        write_label(out, known, place, kind.value, url)
    except AskedWrong as error:
        raise typer.BadParameter(str(error)) from None
    if as_json:
        print(json.dumps({"file": str(out), "node": known, "short_code": short_code(known)}))
        return
    print(f"{out}: {known}, {short_code(known)}")


def write_label(out: Path, node: str, place: str, kind: str, url: str = "derb:") -> None:
    """Draw the label and write it in the format that the file's name says. AskedWrong, OSError."""
    suffix = out.suffix.lower()
    if suffix == ".zpl":
        out.write_bytes(to_zpl(draw(node, place, kind, url, ZPL_DPI)))
    elif suffix in (".png", ".pdf"):
        draw(node, place, kind, url, DPI).save(out, dpi=(DPI, DPI), resolution=float(DPI))
    else:
        raise AskedWrong(f"{out}: a label is written as .png, .pdf or .zpl")
