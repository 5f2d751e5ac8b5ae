"""A node's prompt, over which programs run on the node and nothing damaged is ever run or believed.

mpremote speaks the protocol; it has no checksums, and a serial line in the street needs some. So a program travels
as base64 with its CRC-32 and runs only if it arrived whole, and each line that it says carries its own CRC-32.
"""

import base64
import contextlib
import io
import json
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from importlib import resources
from typing import Any, TypeVar

from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport

from derb_tools.errors import LineBroken, NodeRaised
from derb_tools.knock import Knocker, Tell
from derb_tools.timed_port import TimedPort

WAIT_S = 60.0
_CALL_S = 20.0
_ENTER_S = 4.0
_SEND_S = 4.0
_PIECES = (512, 96)  # characters, when a whole program did not come through
_QUICK_TRIES = 2
_TRIES = 6
_SAID = re.compile(rb"derb:([0-9a-f]{8}):(.*?)\r?\n")
_IN_PROGRAM = 'File "<string>"'
_TROUBLE = (TransportError, OSError, struct.error, IndexError, UnicodeDecodeError, ValueError)

T = TypeVar("T")
Heard = Callable[[Any], None]


class _Damaged(Exception):
    """What arrived is not what was sent."""


class Prompt:
    """A context manager; leaving it sends the node back to its work, whatever happened."""

    def __init__(self, port: TimedPort) -> None:
        self._port = port
        self._transport = _transport(port)

    @classmethod
    def open(cls, device: str, tell: Tell, wait_s: float = WAIT_S, *, may_reset: bool = True) -> "Prompt":
        """Get in. NodeSilent, PortError, LineBroken."""
        prompt = cls(Knocker(device, tell).enter(wait_s, may_reset=may_reset))
        try:
            prompt._retried(lambda: None)
        except BaseException:
            prompt._port.close()
            raise
        return prompt

    def __enter__(self) -> "Prompt":
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    def load(self, name: str) -> None:
        """Put the functions of a program in `on_board/` into the node's memory. LineBroken, NodeRaised."""
        self._run(f"{_source('say')}\n{_source(name)}\nsay({{'done': None}})", _CALL_S, None)

    def call(self, expression: str, timeout_s: float = _CALL_S, heard: Heard | None = None) -> Any:
        """The JSON value of an expression on the node; `heard` gets what it tells meanwhile.

        It may be evaluated more than once, when the line damages an answer. LineBroken, NodeRaised.
        """
        answer = self._run(f"answer(lambda: {expression})", timeout_s, heard)
        if "raised" in answer:
            raise NodeRaised(answer["raised"])
        return answer["done"]

    def leave(self) -> None:
        """Let the node go back to work, by a reset that keeps its RTC memory; close the port."""
        with contextlib.suppress(*_TROUBLE), self._port.within(_ENTER_S), _quiet():
            self._transport.enter_raw_repl(soft_reset=False, timeout_overall=1)
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")
        self._port.close()

    def friendly(self) -> Any:
        """mpremote's transport, at the prompt for people."""
        with contextlib.suppress(*_TROUBLE), self._port.within(_ENTER_S):
            self._transport.exit_raw_repl()
        return self._transport

    def _run(self, source: str, timeout_s: float, heard: Heard | None) -> dict[str, Any]:
        packed, crc = base64.b64encode(source.encode()).decode(), zlib.crc32(source.encode())
        ears = _Ears(heard)
        for size in (len(packed), *_PIECES):
            pieces = [packed[at : at + size] for at in range(0, len(packed), size)]
            tries = _TRIES if size == _PIECES[-1] else _QUICK_TRIES
            try:
                for number, piece in enumerate(pieces):
                    self._retried(partial(self._exec, _keep(number, piece), _SEND_S, _Ears(None)), tries)
                return self._retried(partial(self._ask, _run_kept(len(pieces), crc), timeout_s, ears), tries)
            except LineBroken:
                if size == _PIECES[-1]:
                    raise
        raise LineBroken("nothing was sent")

    def _ask(self, command: str, timeout_s: float, ears: "_Ears") -> dict[str, Any]:
        self._exec(command, timeout_s, ears)
        if ears.answer is None:
            raise _Damaged("the answer did not come whole")
        return ears.answer

    def _retried(self, work: Callable[[], T], tries: int = _TRIES) -> T:
        trouble: Exception | None = None
        for _ in range(tries):
            try:
                if not self._transport.in_raw_repl or trouble is not None:
                    self._enter_raw()
                return work()
            except (_Damaged, *_TROUBLE) as error:
                trouble = error
        if isinstance(trouble, _Damaged) and _IN_PROGRAM in str(trouble):
            raise NodeRaised(str(trouble)) from trouble
        raise LineBroken(
            f"the serial line loses or changes bytes ({str(trouble).strip() or 'no answer'}): "
            "take a shorter or better cable, another USB port, no hub"
        ) from trouble

    def _enter_raw(self) -> None:
        self._transport.use_raw_paste = True
        with self._port.within(_ENTER_S), _quiet():
            self._transport.enter_raw_repl(soft_reset=False, timeout_overall=2)

    def _exec(self, command: str, timeout_s: float, ears: "_Ears") -> None:
        with self._port.within(timeout_s):
            with _quiet():
                self._transport.exec_raw_no_follow(command)
            _, failed = self._transport.follow(timeout_s, ears.take)
        if failed:
            raise _Damaged(failed.decode(errors="replace"))


class _Ears:
    """Reads what a program says: lines with a checksum, of which the last is the answer."""

    def __init__(self, heard: Heard | None) -> None:
        self._heard = heard
        self._line = b""
        self.answer: dict[str, Any] | None = None

    def take(self, byte: bytes) -> None:
        self._line += byte
        if byte != b"\n":
            return
        said, self._line = _SAID.search(self._line), b""
        if said is None or zlib.crc32(said[2]) != int(said[1], 16):
            return  # something else, or damaged: the answer will be missed
        content = json.loads(said[2])
        if "told" in content:
            if self._heard:
                self._heard(content["told"])
        else:
            self.answer = content


def _keep(number: int, piece: str) -> str:
    """A program is kept in the node's memory piece by piece, each checked, under a name that no program uses."""
    first = "_derb={}\n" if number == 0 else ""
    crc = zlib.crc32(piece.encode())
    return f"{first}import binascii as _b\n_p='{piece}'\n_derb[{number}]=_p if _b.crc32(_p.encode())&0xffffffff=={crc} else 1//0"


def _run_kept(pieces: int, crc: int) -> str:
    return (
        "import binascii as _b\n"
        f"_s=_b.a2b_base64(''.join([_derb[i] for i in range({pieces})]))\n"
        f"if _b.crc32(_s)&0xffffffff=={crc}:exec(_s)\n"
    )


def _source(name: str) -> str:
    return resources.files("derb_tools").joinpath("on_board", f"{name}.py").read_text(encoding="utf-8")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """mpremote prints what it could not understand; our stdout is for scripts."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _transport(port: TimedPort) -> Any:
    """mpremote's transport over a port that is open already."""
    transport = SerialTransport.__new__(SerialTransport)
    transport.in_raw_repl = False
    transport.use_raw_paste = True
    transport.mounted = False
    transport.is_pty = False
    transport.serial = port
    return transport
