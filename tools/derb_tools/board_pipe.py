"""Feeds lines to the firmware's own code in another process and gives back the lines that it prints."""

import subprocess
import tempfile
import textwrap
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from derb_tools.errors import FirmwareFailed
from derb_tools.firmware_files import firmware_dir
from derb_tools.interpreters import board_command

ON_BOARD = Path(__file__).parent / "on_board"
ERROR_SHOWN_CHARACTERS = 4_000
# The unix port writes the traceback of an uncaught exception to stdout, among the results.
GUARDED = """
try:
{code}
except Exception as error:
    import say_error
    say_error.and_exit(error)
"""


def run_on_board(code: str, lines: Iterable[str], *, interpreter: str = "unix") -> Iterator[str]:
    """What the board prints, line by line, while `lines` are fed to it. Ends the process in any case.

    Raises PartMissing, FirmwareFailed when the code fails, and whatever `lines` raises.
    """
    guarded = GUARDED.format(code=textwrap.indent(code, "    "))
    command = board_command(guarded, [firmware_dir(), ON_BOARD], interpreter=interpreter)
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8"
        )
        assert process.stdin is not None
        assert process.stdout is not None
        feeder = Feeder(process.stdin, lines)
        try:
            feeder.start()
            yield from (line.rstrip("\n") for line in process.stdout)
            feeder.join()
        except BaseException:
            process.kill()
            raise
        finally:
            process.stdout.close()
            exit_code = process.wait()
        feeder.raise_error()
        if exit_code != 0 or feeder.cut_off:
            raise FirmwareFailed(f"the firmware failed on this recording:\n{_tail(errors)}")


class Feeder(threading.Thread):
    """Writes the lines in a thread of its own, so that a full pipe either way never stops both sides."""

    def __init__(self, stdin: IO[str], lines: Iterable[str]) -> None:
        super().__init__(name="derb-board-feeder", daemon=True)
        self.stdin = stdin
        self.lines = lines
        self.error: BaseException | None = None
        self.cut_off = False

    def run(self) -> None:
        try:
            self.stdin.writelines(self.lines)
        except BrokenPipeError:
            self.cut_off = True
        except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
            self.error = error
        finally:
            self._close()

    def _close(self) -> None:
        try:
            self.stdin.close()
        except BrokenPipeError:
            self.cut_off = True

    def raise_error(self) -> None:
        """Raise in the caller's thread what ended the feeding."""
        if self.error is not None:
            raise self.error


def _tail(errors: IO[bytes]) -> str:
    errors.seek(0)
    return errors.read().decode("utf-8", "replace")[-ERROR_SHOWN_CHARACTERS:].strip()
