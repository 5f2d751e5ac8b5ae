"""What was pulled over a cable out of a node that no longer speaks: its own signed frames, and when they were read.

The frames are what the node would have sent, tags and all: who carries the file can neither read the node's key in it nor
change a reading. The drop box is the folder where such files wait for a running gateway.
"""

import hashlib
import logging
import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from derb_gateway.errors import ConfigError
from derb_gateway.frame import FRAME_MAX_BYTES, FrameError, decode_uplink
from derb_gateway.registry import NodeId, Registry

log = logging.getLogger(__name__)

FORMAT = "derb pull 1"
MAX_BYTES = 4_194_304  # a full outbox makes some 100 kB
REFUSED_FILES, REFUSED_BYTES = 20, 64 << 20
_SUFFIX = ".pull"
_REFUSED = ".refused"


class PulledFrame(BaseModel):
    """One frame, and when its ages were true."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    at_ms: int = Field(ge=1_577_836_800_000, le=4_102_444_800_000)  # 2020 to 2100
    hex: str = Field(pattern=rf"^([0-9a-f][0-9a-f]){{1,{FRAME_MAX_BYTES}}}$")


class Pulled(BaseModel):
    """The file. `synchronised`: whether the laptop's clock was known to be right."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    format: Literal["derb pull 1"]
    node: NodeId
    synchronised: bool
    frames: tuple[PulledFrame, ...] = Field(strict=False)
    health: dict[str, Any] = Field(default_factory=dict)

    def raw(self) -> list[bytes]:
        """Return the frames' bytes."""
        return [bytes.fromhex(frame.hex) for frame in self.frames]


class Judged(NamedTuple):
    """What a file is worth to this gateway: its readings, and the reason of each frame that it would refuse."""

    readings: int
    refused: list[str]


def read_pulled(path: Path) -> Pulled:
    """Return a file's content; ConfigError that names the file and the place."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError([f"{path}: is too long to be what `derb pull` writes"])
        return Pulled.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        told = f"{path}: {place}: {first['msg']}; it is not what `derb pull` writes, pull the node again"
        raise ConfigError([told]) from None


def judge(pulled: Pulled, registry: Registry) -> Judged:
    """Decode every frame as the intake will."""
    readings, refused = 0, []
    for number, frame in enumerate(pulled.raw(), 1):
        try:
            readings += len(decode_uplink(pulled.node, registry.key(pulled.node), frame).readings)
        except FrameError as error:
            refused.append(f"frame {number}: {error.reason}: {error}")
    return Judged(readings, refused)


def drop_box(store: Path) -> Path:
    """Return the folder beside the store."""
    return store.with_name(f"{store.name}-pulled")


def drop(path: Path, store: Path) -> Path:
    """Put a copy into the drop box, whole or not at all; the same file twice is there once. OSError."""
    content = path.read_bytes()
    box = drop_box(store)
    box.mkdir(mode=0o700, exist_ok=True)
    dropped = box / f"{hashlib.sha256(content).hexdigest()[:32]}{_SUFFIX}"
    partly = dropped.with_suffix(f".{os.getpid()}")
    try:
        with partly.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partly.replace(dropped)
    except OSError:
        partly.unlink(missing_ok=True)
        raise
    return dropped


def waiting(store: Path) -> list[Path]:
    """Return the files in the drop box, in a steady order."""
    return sorted(drop_box(store).glob(f"*{_SUFFIX}"))


def set_aside(path: Path) -> Path:
    """Keep a file that cannot be read where it is not tried again, and delete the oldest of too many such. OSError."""
    aside = path.replace(path.with_suffix(_REFUSED))
    aside.touch()
    kept_bytes = 0
    newest_first = sorted(path.parent.glob(f"*{_REFUSED}"), key=lambda each: -each.stat().st_mtime_ns)
    for count, each in enumerate(newest_first):
        kept_bytes += each.stat().st_size
        if count and (count >= REFUSED_FILES or kept_bytes > REFUSED_BYTES):
            each.unlink()
            log.warning("old refused file deleted", extra={"file": each.name})
    return aside


def forget(path: Path) -> None:
    """Take a file out of the drop box: all of it is on the disk. OSError."""
    path.unlink(missing_ok=True)
