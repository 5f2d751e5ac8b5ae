"""A node's registration on a stick: who it is, where it stands, and its key, sealed with a secret that laptop and gateway share.

The key is hidden by HMAC-SHA256 over a fresh nonce, a pad as long as the key and never used twice; over all of it stands a
second HMAC-SHA256 with another key of the same secret. So a stick that is lost shows no key, and one that was changed is refused.
"""

import hmac
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from derb_gateway.errors import ConfigError
from derb_gateway.registry_file import NodeId, PlaceName

FORMAT = "derb enrolment 1"
SECRET_BYTES = 32
NONCE_BYTES = 32
_MAX_BYTES = 16_384
_PAD, _SEAL = b"derb enrolment pad", b"derb enrolment seal"
_HEX64 = r"^[0-9a-f]{64}$"

Chance = Callable[[int], bytes]


class Enrolment(BaseModel):
    """The file, sealed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["derb enrolment 1"] = "derb enrolment 1"
    node: NodeId
    kind: Literal["bay", "container"]
    place: PlaceName
    board: PlaceName | None = None
    made_at: str = Field(max_length=40)
    nonce: str = Field(pattern=_HEX64)
    hidden_key: str = Field(pattern=_HEX64, repr=False)
    seal: str = Field(default="0" * 64, pattern=_HEX64)

    def sealed_with(self, secret: bytes) -> str:
        """Return what `seal` must be."""
        fields = self.model_dump(exclude={"seal"})
        text = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
        return hmac.digest(hmac.digest(secret, _SEAL, "sha256"), text, "sha256").hex()


def seal(secret: bytes, key: bytes, chance: Chance = secrets.token_bytes, **fields: Any) -> str:
    """Return the file's text; `fields` as Enrolment has them."""
    nonce = chance(NONCE_BYTES)
    made = Enrolment(**fields, nonce=nonce.hex(), hidden_key=_hide(secret, nonce, key).hex())
    return made.model_copy(update={"seal": made.sealed_with(secret)}).model_dump_json(indent=1) + "\n"


def unseal(path: Path, secret: bytes) -> tuple[Enrolment, bytes]:
    """Return a file's content and the key in it; ConfigError that names the file."""
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES)
        read = Enrolment.model_validate_json(text)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigError(
            [f"{path}: {where}: is not what `derb provision` writes; provision again"]
        ) from None
    if not hmac.compare_digest(read.sealed_with(secret), read.seal):
        told = f"{path}: the seal does not fit: another secret than the laptop's, or the file was changed"
        raise ConfigError([told])
    return read, _hide(secret, bytes.fromhex(read.nonce), bytes.fromhex(read.hidden_key))


def read_secret(path: Path) -> bytes:
    """Return the secret in a file that nobody else may read; ConfigError, which never shows it."""
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError([f"{path}: others can read it: chmod 600 {path}"])
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        told = f"{path}: must be {2 * SECRET_BYTES} hex digits: `derb gateway registry new-secret {path}` makes one"
        raise ConfigError([told])
    return secret


def make_secret(path: Path) -> None:
    """Write a new secret into a new file that nobody else can read; ConfigError if there is one."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError([f"{path}: exists already; a secret is never written over"]) from None
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from None
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(SECRET_BYTES) + "\n")


def _hide(secret: bytes, nonce: bytes, key: bytes) -> bytes:
    pad = hmac.digest(hmac.digest(secret, _PAD, "sha256"), nonce, "sha256")
    return bytes(a ^ b for a, b in zip(key, pad, strict=True))
