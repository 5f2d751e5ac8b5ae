"""`derb gateway …` on the gateway, by ssh, or here where the gateway is this machine.

The gateway opens no port for this and keeps no password: who may log in there may do this, and ssh has proved both sides before
a word is said. A key or a release goes over stdin, so it stands on no command line and in no file in between.
"""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from derb_tools.errors import AskedWrong, GatewayRefused, GatewayUnreached

_SSH = ("ssh", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15")
_SSH_FAILED, _NOT_FOUND, _MISUSED = 255, 127, 2


@dataclass(frozen=True)
class GatewayShell:
    """Where the gateway is: `host` as ssh takes it (None: this machine), its configuration, and how `derb` is called there."""

    host: str | None
    config: str
    program: str = "derb"

    def __post_init__(self) -> None:
        if self.host is not None and (not self.host or self.host.startswith("-")):
            raise AskedWrong(f"--gateway {self.host!r} is no host: write it as ssh takes it, user@host")

    def command(self, *words: str) -> list[str]:
        """Return what is run for `derb gateway WORDS`."""
        called = shlex.split(self.program)
        if self.host is None:
            called = [sys.executable, "-m", "derb_tools.cli"] if self.program == "derb" else called
            return [*called, "gateway", *words, "--config", self.config]
        return [*_SSH, "--", self.host, shlex.join([*called, "gateway", *words, "--config", self.config])]

    def run(self, *words: str, given: bytes | None = None) -> str:
        """Return what it prints; `given` is its stdin. GatewayUnreached, GatewayRefused."""
        command = self.command(*words)
        try:
            done = subprocess.run(
                command,
                input=given,
                stdin=None if given else subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except FileNotFoundError:
            raise GatewayUnreached(
                f"{command[0]} is not installed: install it, or run this at the gateway"
            ) from None
        told = done.stderr.decode(errors="replace").strip()
        if done.returncode == 0:
            if told:
                print(told, file=sys.stderr)
            return done.stdout.decode(errors="replace")
        raise self._failure(done.returncode, told)

    def read(self, *words: str) -> Any:
        """Return the JSON that it prints. GatewayUnreached, GatewayRefused."""
        printed = self.run(*words)
        try:
            return json.loads(printed)
        except ValueError:
            raise GatewayRefused(
                f"{self._name}: `derb gateway {words[0]}` printed no JSON: is its derb an older one?"
            ) from None

    @property
    def _name(self) -> str:
        return self.host or "this machine"

    def _failure(self, code: int, told: str) -> Exception:
        if self.host is not None and code == _SSH_FAILED:
            return GatewayUnreached(
                f"{self.host} is not reached: {told or 'ssh says no more'}; try `ssh {self.host}` alone"
            )
        if code == _NOT_FOUND:
            return GatewayUnreached(f"{self._name} has no {self.program}: say with --remote-derb where it is")
        if code == _MISUSED:
            return AskedWrong(told)
        return GatewayRefused(f"{self._name}: {told or f'it ended with {code} and said nothing'}")


def shell(host: str | None, config: str | None, program: str | None) -> GatewayShell:
    """Return the gateway that was named on the command line or, where it was not, in the environment."""
    host = host or os.environ.get("DERB_GATEWAY")
    config = config or os.environ.get("DERB_GATEWAY_CONFIG") or "/etc/derb/gateway.toml"
    program = program or os.environ.get("DERB_GATEWAY_PROGRAM") or "derb"
    return GatewayShell(None if host == "here" else host or _nowhere(), config, program)


def _nowhere() -> str:
    raise AskedWrong("which gateway? --gateway user@host, or DERB_GATEWAY; `--gateway here` for this machine")


def content(path: Path) -> bytes:
    """Return a file, or stdin for `-`; AskedWrong."""
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise AskedWrong(f"{path}: cannot be read: {error.strerror}") from None
