"""How a command ends when something is wrong: the reason on stderr, 2 for misuse, 1 for failure."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from derb_gateway.errors import ConfigError, GatewayError

FAILED, MISUSED = 1, 2


@contextmanager
def exits() -> Iterator[None]:
    """Turn the gateway's errors into exit codes."""
    try:
        yield
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(MISUSED) from error
    except GatewayError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(FAILED) from error
