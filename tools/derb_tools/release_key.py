"""The key that signs releases: LMS of RFC 8554 by pyhsslms, and a file that never forgets what it has signed.

Each of the 1,024 one-time keys may sign once; signing twice with one gives forgers what they need. So the file says that a
one-time key is used, and is synced, before the signature exists; a crash in between wastes one. A copy of the file
does not know what the other copy signs: there must be one, and no backup may be put back without `skip`.
"""

import fcntl
import os
from pathlib import Path

from pyhsslms import pyhsslms

from derb_tools.errors import ToolError

SECRET_BYTES = 60
SIGNATURES = 1024
_MAGIC = b"derb release key 1\n"


class ReleaseKey:
    """A key in its file. Loading takes some seconds: all its one-time keys are made anew."""

    def __init__(self, path: Path, key: pyhsslms.LmsPrivateKey) -> None:
        self._path = path
        self._key = key
        self.public = bytes(key.publicKey().serialize())

    @classmethod
    def create(cls, path: Path) -> "ReleaseKey":
        """Make a new key in a new file that nobody else can read. ToolError if the file exists."""
        fresh = pyhsslms.LmsPrivateKey(pyhsslms.lms_sha256_m32_h10, pyhsslms.lmots_sha256_n32_w4)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ToolError(f"{path}: exists already; a key is never written over") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(_MAGIC + fresh.serialize())
            file.flush()
            os.fsync(file.fileno())
        return cls(path, fresh)

    @classmethod
    def load(cls, path: Path) -> "ReleaseKey":
        """The key in a file; ToolError."""
        try:
            return cls(path, pyhsslms.LmsPrivateKey.deserialize(_read(path)))
        except (ValueError, IndexError) as error:
            raise ToolError(f"{path}: is not a release key: {error}") from None

    @property
    def left(self) -> int:
        """How many more it can sign."""
        return int(self._key.remaining())

    def sign(self, message: bytes) -> bytes:
        """The signature, by a one-time key that the file then says is used; ToolError when none is left."""
        with self._path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self._key.q = max(self._key.q, int.from_bytes(_read(self._path)[-4:], "big"))
            if self._key.is_exhausted():
                raise ToolError(f"{self._path}: has signed all it can; make a new key and provision it")
            file.seek(len(_MAGIC) + SECRET_BYTES - 4)
            file.write((self._key.q + 1).to_bytes(4, "big"))
            file.flush()
            os.fsync(file.fileno())
            return bytes(self._key.sign(message))


def _read(path: Path) -> bytes:
    raw = path.read_bytes()
    if not raw.startswith(_MAGIC) or len(raw) != len(_MAGIC) + SECRET_BYTES:
        raise ToolError(f"{path}: is not a release key")
    return raw[len(_MAGIC) :]
