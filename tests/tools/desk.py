"""A technician's desk: a simulated node at a cable, somebody who presses reset when asked to, and lines that harm what passes."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from derb_tools.board import Lis3mdl, SimBoard
from derb_tools.board.plugged import PluggedBoard
from derb_tools.board.usb import UsbCable
from derb_tools.firmware_files import firmware_dir
from derb_tools.prompt import Prompt
from derb_tools.thirdparty import umqtt_dir
from gateway.kit import DEADLINE_S
from tools.board.tiny import KEY, NODE_ID, write_mag

EARTH = (29000, -300, 30000, 2000)
SETTINGS = {"kind": "parking", "ssid": "derb", "psk": "derb-street", "broker": "broker.derb"}
SPEED = 6  # its window of 3 s is then half a second, in which a command knocks at least twice


def bay_board(folder: Path, **options: Any) -> SimBoard:
    """A parking node in an empty bay."""
    recording = write_mag(folder / "bay.mag", [EARTH] * 4_000)
    fields: dict[str, Any] = {
        "node_id": NODE_ID,
        "key": KEY,
        "config": SETTINGS,
        "sensors": [Lis3mdl(recording, noise_nt=300)],
        "speed": SPEED,
        **options,
    }
    board = SimBoard(folder / "board", firmware_dir(), **fields)
    board.factory([umqtt_dir()])
    return board


class Desk:
    """The node is asleep until somebody presses reset."""

    def __init__(self, board: SimBoard, cable: UsbCable, plugged: PluggedBoard) -> None:
        self.board = board
        self.cable = cable
        self.plugged = plugged
        self.told: list[str] = []
        self.said = ""

    @property
    def port(self) -> str:
        return str(self.cable.port)

    def tell(self, words: str) -> None:
        """What a command says to the technician, who does it."""
        self.told.append(words)
        if "press reset" in words:
            self.plugged.press_reset()

    def prompt(self, wait_s: float = 20) -> Prompt:
        return Prompt.open(self.port, self.tell, wait_s)

    def leave_a_prompt(self) -> None:
        """As a program does that is killed: the node shows its prompt and nobody is there."""
        prompt = self.prompt()
        prompt.friendly()
        prompt._port.close()

    @contextmanager
    def running(self, *arguments: str | Path, folder: Path | None = None) -> Iterator[subprocess.Popen[str]]:
        """A derb command at this port, while the technician does what it says; it is over when this is."""
        command = [sys.executable, "-m", "derb_tools.cli", *map(str, arguments), "--port", self.port]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            cwd=folder,
            # Where the tests run in the background, Ctrl-C is ignored, and so it would be by the command.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:
            listener = threading.Thread(target=self._listen, args=(process,))
            listener.start()
            try:
                yield process
            finally:
                process.kill()
                listener.join()

    def derb(
        self, *arguments: str | Path, typed: str = "", folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a derb command to its end."""
        self.said = ""
        with self.running(*arguments, folder=folder) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(typed)
            process.stdin.close()
            out = process.stdout.read()
            code = process.wait(DEADLINE_S)
        return subprocess.CompletedProcess(process.args, code, out, self.said)

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr
        for line in process.stderr:
            self.said += line
            self.tell(line)

    def ends(self) -> list[str]:
        """How the wakes so far ended."""
        return [result.end for result in self.plugged.results]

    def wait_for(self, true: Callable[[], bool]) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while not true():
            assert time.monotonic() < deadline_s, self.plugged.results
            time.sleep(0.01)


@contextmanager
def at_desk(board: SimBoard, folder: Path) -> Iterator[Desk]:
    """The board, plugged in."""
    with UsbCable(folder / "port") as cable, PluggedBoard(board, cable) as plugged:
        yield Desk(board, cable, plugged)


def noisy(seed: int, one_in: int) -> Callable[[bytes], bytes]:
    """A line that changes one byte in so many."""
    chance = random.Random(seed)

    def damage(sent: bytes) -> bytes:
        return bytes(chance.randrange(256) if chance.randrange(one_in) == 0 else byte for byte in sent)

    return damage


def lossy(seed: int, one_in: int) -> Callable[[bytes], bytes]:
    """A line that loses one byte in so many."""
    chance = random.Random(seed)
    return lambda sent: bytes(byte for byte in sent if chance.randrange(one_in))


def slow(bytes_per_s: int) -> Callable[[bytes], bytes]:
    """A line as slow as that."""

    def delay(sent: bytes) -> bytes:
        time.sleep(len(sent) / bytes_per_s)
        return sent

    return delay
