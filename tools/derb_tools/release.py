"""`derb release`: make a signed release of the firmware, and the key that signs it."""

import json
from pathlib import Path
from typing import Annotated

import typer
from derb_gateway.errors import ConfigError
from derb_gateway.releases import Release, read_release, version_text

from derb_tools.boards import board_names
from derb_tools.errors import ToolError
from derb_tools.release_build import build_release, firmware_version
from derb_tools.release_key import ReleaseKey

ANY_BOARD = "*"

JsonOption = Annotated[bool, typer.Option("--json", help="As JSON, for scripts.")]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def release() -> None:
    """Firmware for nodes in the street: built, signed, looked at."""


@app.command()
def key(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="Where the secret key goes; must not exist.")],
    as_json: JsonOption = False,
) -> None:
    """Make a signing key; prints the public key that nodes are provisioned with. Keep one copy, offline.

    \b
    derb release key release.key
    """
    made = ReleaseKey.create(path)
    print(json.dumps({"public": made.public.hex()}) if as_json else made.public.hex())


@app.command()
def build(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="The release to write.")],
    key: Annotated[Path, typer.Option(help="The secret key, as `derb release key` made it.")],
    board: Annotated[str | None, typer.Option(help="Only for this board, as `derb boards` names it.")] = None,
    any_board: Annotated[bool, typer.Option("--any-board", help="For every board.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compile the firmware, sign it, write one file.

    \b
    derb release build derb-0.2.0.derb --key release.key --any-board
    """
    if (board is None) != any_board:
        raise typer.BadParameter("give --board NAME or --any-board")
    if board is not None and board not in (known := board_names()):
        raise typer.BadParameter(f"there is no board {board!r}; there are {', '.join(known)}")
    signer = ReleaseKey.load(key)
    out.write_bytes(build_release(signer, firmware_version(), board or ANY_BOARD))
    made, public = read_release(out), signer.public.hex()
    if as_json:
        print(json.dumps({**figures(made), "public": public, "left": signer.left}))
        return
    print(described(made))
    print(f"signed with {public}; the key can sign {signer.left} more", flush=True)


@app.command()
def show(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A release.")],
    as_json: JsonOption = False,
) -> None:
    """Say what is in a release, and whether it is whole.

    \b
    derb release show derb-0.2.0.derb
    """
    try:
        read = read_release(path)
    except ConfigError as error:
        raise ToolError(str(error)) from None
    print(json.dumps(figures(read)) if as_json else described(read))


def figures(release: Release) -> dict[str, object]:
    """A release as JSON has it; `board` is null where it is for any."""
    return {
        "version": version_text(release.version),
        "number": release.version,
        "board": None if release.board == ANY_BOARD else release.board,
        "bytecode": release.bytecode,
        "files": len(release.files),
        "bytes": sum(file.size for file in release.files),
    }


def described(release: Release) -> str:
    """A release in words."""
    size = sum(file.size for file in release.files)
    board = "any board" if release.board == ANY_BOARD else release.board
    return (
        f"version {version_text(release.version)} ({release.version}) for {board}, bytecode {release.bytecode}:"
        f" {len(release.files)} files, {size} bytes"
    )
