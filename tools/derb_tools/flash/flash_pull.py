"""A pull file out of a bare flash: the frames that the node would have sent, made and signed by its own code with its own key."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from derb_gateway.clock import Clock, iso_utc
from derb_gateway.pulled_file import FORMAT

from derb_tools.board_pipe import run_on_board
from derb_tools.errors import FirmwareFailed, NothingToPull
from derb_tools.flash.at_loader import Tell, again_and_again, mode_of, who
from derb_tools.flash.esp_loader import Found, ResetMode, connected
from derb_tools.flash.flash_view import FlashView
from derb_tools.flash.left_behind import LeftBehind, left_behind
from derb_tools.flash.writing import LineLost
from derb_tools.pull_file import keep_pulled

_KEY_BYTES = 32
_NUMBERS = ("boot", "starts", "cfg_top", "cfg_tries", "door_pin")


def pull_flash(port: str, tell: Tell, clock: Clock) -> dict[str, Any]:
    """The content of a pull file, from the board at `port`, which starts again afterwards.

    NoBoard, NotRead, NothingToPull, PortError.
    """
    mode = mode_of(port)
    found = who(port, mode)
    left = left_on(port, mode, found, tell)
    pulled = pulled_from_flash(found.node, left, clock) if left else None
    with contextlib.suppress(LineLost), connected(port, mode) as chip:
        chip.start()
    if pulled is None:
        raise NothingToPull(
            f"{found.node} has no outbox: it was never a node, or `derb flash` has begun to write it anew"
        )
    return pulled


def left_on(port: str, mode: ResetMode, found: Found, tell: Tell) -> LeftBehind | None:
    """What is left on the board at `port`, as `left_behind` has it. NotRead, PortError."""
    with FlashView(again_and_again(port, mode, tell)) as flash:
        return left_behind(flash, found.chip)


def saved_readings(node: str, left: LeftBehind) -> tuple[int, Path | None]:
    """How many readings a node had that is flashed anew, and the file in which they are now. NothingToPull, OSError."""
    pulled = pulled_from_flash(node, left, Clock())
    return pulled["readings"], keep_pulled(pulled) if pulled["readings"] else None


def pulled_from_flash(node: str, left: LeftBehind, clock: Clock) -> dict[str, Any]:
    """The file's content. NothingToPull when the readings cannot be signed."""
    synchronised, now_ms = clock.synchronised(), clock.wall_ms()
    key = left.nvs.get("key")
    signable = isinstance(key, bytes) and len(key) == _KEY_BYTES
    signed_by = key if signable and isinstance(key, bytes) else bytes(_KEY_BYTES)
    frames, readings, damaged = _frames(node, signed_by, now_ms // 1000 if synchronised else 0, left.blobs)
    if readings and not signable:
        raise NothingToPull(
            f"node {node} holds {readings} readings, and no key with which they could be signed: the gateway would refuse them"
        )
    return {
        "format": FORMAT,
        "node": node,
        "frames_at": iso_utc(now_ms),
        "synchronised": synchronised,
        "readings": readings,
        "frames": [{"at_ms": now_ms, "hex": each} for each in frames],
        "health": {
            "read_from": "flash",
            "file_system": "whole" if left.mounted and not left.unreadable else "damaged",
            "unreadable_files": left.unreadable,
            **({"damaged_bytes": damaged} if left.mounted and not left.unreadable else {}),
            "numbers": {name: left.nvs[name] for name in _NUMBERS if name in left.nvs},
            "files": left.files,
        },
    }


def _frames(node: str, key: bytes, unix_s: int, blobs: list[bytes]) -> tuple[list[str], int, int]:
    frames: list[str] = []
    for words in map(str.split, _said(f"{key.hex()} {node} {unix_s}", blobs)):
        if words[0] == "end":
            return frames, int(words[1]), int(words[2])
        frames.append(words[1])
    raise FirmwareFailed("the firmware ended before its outbox did")


def _said(head: str, blobs: list[bytes]) -> Iterator[str]:
    # CPython is everywhere where this is; the firmware's tests run there as well, and find no difference.
    lines = (f"{line}\n" for line in (head, *(blob.hex() for blob in blobs)))
    return run_on_board("import flash_outbox\nflash_outbox.run()", lines, interpreter="cpython")
