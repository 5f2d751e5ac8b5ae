"""What can go wrong with a simulated board itself, as opposed to the firmware on it.

BoardError
|-- BoardBroken     the simulator failed; its own traceback is in the message
|-- BoardStuck      the node would stay awake for ever: it has crashed, hung or left its main program
`-- NoMicroPython   there is no MicroPython to run: install `derb[tools]` or set MICROPYTHON
"""


class BoardError(Exception):
    """A simulated board could not do what was asked."""


class BoardBroken(BoardError):
    """The simulator failed."""


class BoardStuck(BoardError):
    """The node will not wake up again by itself."""


class NoMicroPython(BoardError):
    """No MicroPython was found."""
