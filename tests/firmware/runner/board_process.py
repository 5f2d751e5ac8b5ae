"""Runs the chosen tests of one file in one interpreter process and reads its report."""

import json
import subprocess
from dataclasses import dataclass, field

from runner.interpreters import COMMAND_OF_INTERPRETER, ROOT

MARK = "derb-test "


@dataclass
class Outcome:
    """How one test ended; `failure` is None when it passed, else a traceback or the process's end."""

    failure: str | None
    printed: str


@dataclass
class Run:
    """What one interpreter process reported; a test without an outcome never ended."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    ending: str = ""

    def outcome(self, name: str) -> Outcome:
        """Of the named test; a failed import or a process that died fails every test after it."""
        if name in self.outcomes:
            return self.outcomes[name]
        if "import" in self.outcomes and self.outcomes["import"].failure:
            return self.outcomes["import"]
        return Outcome(f"the interpreter ended before this test did: {self.ending}", "")


def run_tests(interpreter: str, module: str, names: list[str], *, heap_kb: int, timeout_s: float) -> Run:
    """Run the functions in one process. Raises InterpreterMissing."""
    code = f"import board_runner\nboard_runner.run({module!r}, {names!r})"
    command = COMMAND_OF_INTERPRETER[interpreter](code, heap_kb)
    try:
        finished = subprocess.run(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        ending = f"killed after {timeout_s:g} s\n{text_of(expired.stderr)}"
        return read_report(text_of(expired.stdout), ending)
    return read_report(finished.stdout, f"exit code {finished.returncode}\n{finished.stderr[-4000:]}")


def read_report(stdout: str, ending: str) -> Run:
    """Split the process's output into the outcomes and what each test printed."""
    run = Run(ending=ending)
    printed: list[str] = []
    for line in stdout.splitlines():
        if not line.startswith(MARK):
            printed.append(line)
            continue
        report = json.loads(line.removeprefix(MARK))
        if report["event"] == "begin":
            printed = []
            continue
        failure = report["traceback"] if report["event"] == "failed" else None
        run.outcomes[report["name"]] = Outcome(failure, "\n".join(printed).strip())
    run.ending += "\n".join(printed[-20:])
    return run


def text_of(output: str | bytes | None) -> str:
    if isinstance(output, bytes):
        return output.decode(errors="replace")
    return output or ""
