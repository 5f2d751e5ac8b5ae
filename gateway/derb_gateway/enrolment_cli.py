"""`derb gateway registry enrol`: nodes that were provisioned out of reach of the gateway come on a stick."""

from pathlib import Path
from typing import Annotated

import typer

from derb_gateway.enrolment import make_secret, read_secret, unseal
from derb_gateway.exits import exits
from derb_gateway.registry_edit_cli import ConfigOption, add_node, changed


def enrol(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="As `derb provision --to` writes them.")
    ],
    config: ConfigOption,
    secret: Annotated[Path, typer.Option(metavar="FILE", help="The secret that the laptop has too.")],
) -> None:
    """Register nodes from files that `derb provision --to` wrote; one that is wrong, and none is registered.

    \b
    derb gateway registry enrol stick/*.enrol --secret enrol.secret --config gateway.toml
    """
    with exits():
        shared = read_secret(secret)
        opened = [unseal(path, shared) for path in files]
    with changed(config) as (text, _):
        for read, key in opened:
            add_node(text, read.node, key.hex(), board=read.board, **{read.kind: read.place})
    for read, _ in opened:
        typer.echo(f"{read.node}: registered at {read.place}")


def new_secret(file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; mode 0600.")]) -> None:
    """Make the secret that seals registrations on a stick; copy it to the technician's laptop over a safe way.

    \b
    derb gateway registry new-secret enrol.secret
    """
    with exits():
        make_secret(file)
    typer.echo(f"{file}: written")
