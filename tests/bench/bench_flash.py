"""What flashing one image puts on the serial line, beside copying the same files with mpremote; times are the line's alone.

The image goes through esptool's own compression, piece by piece. The copy is real mpremote over a pseudo-terminal to
MicroPython on a simulated board, every byte counted; a real board would also need time to run each line of it.
"""

import contextlib
import json
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

from derb_tools.boards import load_board
from derb_tools.firmware_files import firmware_dir
from derb_tools.flash.board_image import board_image
from derb_tools.flash.esp_loader import BAUD
from derb_tools.flash.file_system import board_files
from derb_tools.flash.micropython_image import read_micropython
from derb_tools.flash.node_entries import Identity, node_entries
from derb_tools.flash.node_file import NodeFile
from derb_tools.knock import Knocker
from derb_tools.thirdparty import image_file
from mpremote.transport import TransportError
from mpremote.transport_serial import SerialTransport
from tools.desk import at_desk, bay_board

NAME = "firebeetle2-esp32-e"
REPL_BAUD = 115_200
BITS_A_BYTE = 10


class Counted:
    """A serial port that counts what passes."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.passed = 0

    def write(self, sent: bytes) -> int:
        self.passed += len(sent)
        return int(self._port.write(sent))

    def read(self, count: int = 1) -> bytes:
        received: bytes = self._port.read(count)
        self.passed += len(received)
        return received

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)


def copied_bytes(files: dict[str, bytes]) -> int:
    """Bytes in both directions while mpremote copies the files to a board."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        with at_desk(bay_board(place), place) as desk:
            port = Knocker(desk.port, desk.tell).enter(20)
            counted = Counted(port)
            transport = SerialTransport.__new__(SerialTransport)
            transport.serial, transport.device_name, transport.mounted = counted, desk.port, False
            transport.in_raw_repl, transport.use_raw_paste, transport.is_pty = False, True, False
            transport.enter_raw_repl(soft_reset=False)
            for name, content in files.items():
                target = "/copy/" + name
                for end in [at for at, letter in enumerate(target) if letter == "/"][1:]:
                    with contextlib.suppress(OSError, TransportError):
                        transport.fs_mkdir(target[:end])
                transport.fs_writefile(target, content)
            port.close()
            return counted.passed


def say(figure: str, value: float, unit: str) -> None:
    print(json.dumps({"bench": "flash", "figure": figure, "value": value, "unit": unit, "board": NAME}))


def main() -> None:
    board = load_board(NAME)
    files = board_files(board.role, firmware_dir(), board.chip)
    street = NodeFile(settings={"ssid": "derb", "psk": "derb-street", "broker": "10.0.0.2"})
    entries = node_entries(NAME, board, street, Identity("240ac4000001", bytes(32), "parking", "b-1"), 0)
    micropython = read_micropython(image_file().read_bytes(), board.chip, image_file().name)
    image = board_image(board, micropython, files, entries)
    say("bytes to write", image.size, "B")
    line_bytes = image.compressed()
    say("bytes on the line, compressed", line_bytes, "B")
    say(f"time at {BAUD} baud", round(line_bytes * BITS_A_BYTE / BAUD, 1), "s")
    alone = sum(len(zlib.compress(part, 9)) for part in (micropython.loader, micropython.app))
    say(f"time at {BAUD} baud, MicroPython alone", round(alone * BITS_A_BYTE / BAUD, 1), "s")
    say("firmware's files", len(files), "files")
    say("firmware's bytes", sum(map(len, files.values())), "B")
    copied = copied_bytes(files)
    say("bytes on the line, copied by mpremote", copied, "B")
    say(f"time at {REPL_BAUD} baud, copied by mpremote", round(copied * BITS_A_BYTE / REPL_BAUD, 1), "s")


if __name__ == "__main__":
    main()
