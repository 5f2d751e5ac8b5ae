"""Which board it is: by what was asked, the chip that answered and the USB identity of its port."""

from pathlib import Path

from derb_gateway.relay_ports import Lister, usb_ports

from derb_tools.boards import Board, load_board, load_boards, read_board
from derb_tools.errors import AskedWrong, NoBoard
from derb_tools.usb_port import find_port


def asked_board(asked: str) -> tuple[str, Board]:
    """The board of that name, or of a board file. AskedWrong, BoardFileError."""
    if asked.endswith(".toml"):
        return Path(asked).stem, read_board(Path(asked))
    return asked, load_board(asked)


def port_of(asked: str | None, board: Board | None, ports: Lister = usb_ports) -> str:
    """The port to open: what was asked, else the only one with the board's USB identity, else with any ESP32's. PortError."""
    if asked is None and board is not None:
        fitting = [port.device for port in ports() if f"{port.vid or 0:04x}:{port.pid or 0:04x}" in board.usb]
        if len(fitting) == 1:
            return fitting[0]
    return find_port(asked, ports)


def usb_of(port: str, ports: Lister = usb_ports) -> str | None:
    """vendor:product of a serial port, None where there is no USB."""
    for each in ports():
        if each.device == port:
            return f"{each.vid or 0:04x}:{each.pid or 0:04x}"
    return None


def check_chip(name: str, board: Board, chip: str, port: str) -> None:
    """NoBoard when another chip answered than the board has."""
    if board.chip != chip:
        raise NoBoard(
            f"at {port} is an {chip}, and {name} ({board.name}) has an {board.chip}: is it another board, or another port?"
        )


def guessed_board(chip: str, usb: str | None) -> tuple[str, Board]:
    """The only known board with this chip behind this USB identity. AskedWrong when it is not clear."""
    of_chip = {name: board for name, board in load_boards().items() if board.chip == chip}
    found = {name: board for name, board in of_chip.items() if usb in board.usb} or of_chip
    if len(found) == 1:
        return next(iter(found.items()))
    if not found:
        raise AskedWrong(f"no board that is known has an {chip}; describe it in a file and name that")
    raise AskedWrong(f"an {chip} on USB {usb or 'of no kind'} may be {', '.join(found)}: say which")
