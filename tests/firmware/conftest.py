"""Makes pytest run the `test_*.py` beside it inside MicroPython: one item a file, function and interpreter.

A file is a MicroPython module of functions `test_*` with plain asserts; it imports nothing that one of its
interpreters lacks, and reads files by their path from the root of the checkout. It may declare, as literals:

    INTERPRETERS = ("unix64",)    where not all three can run it; each is named in runner/interpreters.py
    HEAP_KB = 256                 the MicroPython heap, 1024 when not said
    TIMEOUT_S = 300               for the whole file in one interpreter, 120 when not said
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from runner.board_process import Run, run_tests
from runner.interpreters import COMMAND_OF_INTERPRETER, InterpreterMissing

DECLARATIONS = {"INTERPRETERS": tuple(COMMAND_OF_INTERPRETER), "HEAP_KB": 1024, "TIMEOUT_S": 120}


class FirmwareTestFailed(Exception):
    """Carries what the board side reported."""


@pytest.hookimpl
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector:
    return FirmwareFile.from_parent(parent, path=module_path)


class FirmwareFile(pytest.File):
    """One MicroPython test module. It is read, never imported: it may not be a CPython module at all."""

    def collect(self) -> Iterator[pytest.Item]:
        tree = ast.parse(self.path.read_text("utf-8"), str(self.path))
        self.runs: dict[str, Run] = {}
        self.declared = DECLARATIONS | declared_literals(tree)
        names = test_functions(tree)
        if not names:
            raise self.CollectError(f"{self.path.name} has no test: no function named test_*")
        interpreters = self.declared["INTERPRETERS"]
        if not interpreters or set(interpreters) - set(COMMAND_OF_INTERPRETER):
            raise self.CollectError(f"{self.path.name}: INTERPRETERS are {', '.join(COMMAND_OF_INTERPRETER)}")
        for interpreter in interpreters:
            for name, line in names.items():
                yield FirmwareTest.from_parent(
                    self,
                    name=f"{name}[{interpreter}]",
                    function_name=name,
                    interpreter=interpreter,
                    line=line,
                )

    def run_in(self, interpreter: str) -> Run:
        """The report of this file in one interpreter; the process runs once, at the first test of them."""
        if interpreter not in self.runs:
            chosen = [
                item.function_name
                for item in self.session.items
                if isinstance(item, FirmwareTest) and item.parent is self and item.interpreter == interpreter
            ]
            self.runs[interpreter] = run_tests(
                interpreter,
                self.path.stem,
                chosen,
                heap_kb=self.declared["HEAP_KB"],
                timeout_s=self.declared["TIMEOUT_S"],
            )
        return self.runs[interpreter]


class FirmwareTest(pytest.Item):
    """One function in one interpreter."""

    def __init__(self, *, function_name: str, interpreter: str, line: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Not `function`: pytest has its own idea of that.
        self.function_name = function_name
        self.interpreter = interpreter
        self.line = line

    def runtest(self) -> None:
        assert isinstance(self.parent, FirmwareFile)
        try:
            outcome = self.parent.run_in(self.interpreter).outcome(self.function_name)
        except InterpreterMissing as error:
            raise FirmwareTestFailed(str(error)) from None
        if outcome.printed:
            self.add_report_section("call", "stdout", outcome.printed)
        if outcome.failure is not None:
            raise FirmwareTestFailed(outcome.failure)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, FirmwareTestFailed):
            return f"in {self.interpreter}:\n{excinfo.value}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.line - 1, self.name


def test_functions(tree: ast.Module) -> dict[str, int]:
    """The module's functions `test_*` and the lines they start at."""
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {node.name: node.lineno for node in functions if node.name.startswith("test_")}


def declared_literals(tree: ast.Module) -> dict[str, Any]:
    """The values of the declarations that the module makes at its top level."""
    found: dict[str, Any] = {}
    for node in tree.body:
        name = ast.unparse(node.targets[0]) if isinstance(node, ast.Assign) else ""
        if isinstance(node, ast.Assign) and name in DECLARATIONS:
            found[name] = ast.literal_eval(node.value)
    return found
