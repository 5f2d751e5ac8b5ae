"""What the technician sees: each step with its time, and a bar while bytes travel."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

Advance = Callable[[int], None]


@dataclass
class Steps:
    """Times of the steps, in order; `quiet`: nothing is shown."""

    quiet: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    clock_s: Callable[[], float] = time.monotonic
    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Time what is inside; what is appended to the list is said beside it."""
        said: list[str] = []
        begun_s = self.clock_s()
        try:
            yield said
        except BaseException:
            self._show(name, begun_s, [*said, "failed"])
            raise
        self.seconds[name] = round(self.clock_s() - begun_s, 1)
        self._show(name, begun_s, said)

    @contextlib.contextmanager
    def bar(self, total: int) -> Iterator[Advance]:
        """A bar over `total` bytes; on a terminal only."""
        if self.quiet or not self.console.is_terminal:
            yield lambda _: None
            return
        columns = (TextColumn("         "), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self.console, transient=True) as progress:
            task = progress.add_task("", total=total)
            yield lambda count: progress.advance(task, count)

    def _show(self, name: str, begun_s: float, said: list[str]) -> None:
        if not self.quiet:
            line = f"{name:9}{self.clock_s() - begun_s:6.1f} s  {'; '.join(said)}"
            self.console.print(line.rstrip(), markup=False)
