"""The errors that the tools raise on purpose; the command line shows their words and no traceback.

ToolError               the words say what is wrong and what to do: stop
├── PartMissing         something that must be installed or fetched is not there
├── RecordingError      a recording cannot be read; names file, line and column
├── AskedWrong          what was asked for is not there, or does not go together: misuse, exit code 2
├── BoardFileError      board files are wrong; one line for each mistake
├── NodeFileError       the file of a node's settings is wrong; one line for each mistake
├── ImageRefused        a MicroPython image, or what is built of it, cannot run on the board
├── NotWhole            a board was not written to the end; the words say how to go on
├── NotRead             a board's flash was not read to the end
├── NothingToPull       what a flash holds is no use to a gateway
├── NoBoard             no board answers, or not the one that was meant
├── GatewayUnreached    the gateway is not reached over ssh, or has no derb
├── GatewayRefused      the gateway's own command failed; the words are its own
├── FirmwareFailed      the firmware's own code raised where it must not
├── PortError           no serial port, or one that cannot be opened
├── NodeSilent          a node did not give its prompt in time
├── LineBroken          what came over the serial line was lost or damaged, again and again
├── NodeRaised          what the node was asked to do raised there; `traceback` is what it said
└── FrameRefused        a frame is not what it should be
"""


class ToolError(Exception):
    """The words say what is wrong and what to do about it."""


class PartMissing(ToolError):
    """Something that must be installed or fetched first is not there."""


class RecordingError(ToolError):
    """A recording cannot be read."""


class AskedWrong(ToolError):
    """What was asked for is not there, or does not go together."""


class BoardFileError(ToolError):
    """Board files are wrong; `problems` has one line for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class NodeFileError(ToolError):
    """The file of a node's settings is wrong; `problems` has one line for each mistake."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ImageRefused(ToolError):
    """A MicroPython image, or what is built of it, cannot run on the board."""


class NotWhole(ToolError):
    """A board was not written to the end; the words say how to go on."""


class NotRead(ToolError):
    """A board's flash was not read to the end."""


class NothingToPull(ToolError):
    """What a flash holds is of no use to a gateway."""


class NoBoard(ToolError):
    """No board answers, or not the one that was meant."""


class GatewayUnreached(ToolError):
    """The gateway is not reached, or has no `derb`."""


class GatewayRefused(ToolError):
    """The gateway's own command failed; the words are its own."""


class FirmwareFailed(ToolError):
    """The firmware's own code raised where it must not."""


class PortError(ToolError):
    """There is no serial port, or it cannot be opened."""


class NodeSilent(ToolError):
    """A node did not give its prompt in time."""


class LineBroken(ToolError):
    """What came over the serial line was lost or damaged, again and again."""


class NodeRaised(ToolError):
    """What the node was asked to do raised there; `traceback` is what it said."""

    def __init__(self, traceback: str) -> None:
        last = traceback.strip().rpartition("\n")[2] or "nothing"
        super().__init__(f"the node could not do it: {last}")
        self.traceback = traceback


class FrameRefused(ToolError):
    """A frame is not what it should be."""
