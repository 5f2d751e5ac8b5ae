"""The suites: their order, fast ones first, and the guard that each of them really ran.

`--every-suite`, which `make test` says, makes it an error when one of the suites ran no test, or skipped one:
a suite that silently ran nothing looks exactly like one that passed.

`make test` runs four processes, on two cores as well: most tests wait for programs more than they compute. Each begins with a
stretch of the tests and takes half of another's when it has none left.
"""

import re
from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SUITES = ("house", "firmware-unix64", "firmware-wasm32", "firmware-cpython", "gateway", "tools", "e2e")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--every-suite", action="store_true", help="fail when a suite ran none or skipped one")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SuiteGuard(config), "derb-suite-guard")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: SUITES.index(suite_of(config.rootpath, item.nodeid)))


def suite_of(root: Path, nodeid: str) -> str:
    """The suite that a test belongs to, from its file and its name."""
    file, _, name = nodeid.partition("::")
    folder = (root / file).relative_to(TESTS).parts[0]
    if folder == "firmware":
        return "firmware-" + "".join(re.findall(r"\[(\w+)\]", name))
    return folder if folder in SUITES else "house"


class SuiteGuard:
    """Counts what each suite ran, says so at the end, and turns a silent nothing into a failure."""

    def __init__(self, config: pytest.Config) -> None:
        self.root = config.rootpath
        # A process that runs a share of the tests knows nothing of the whole.
        self.every_suite = bool(config.getoption("--every-suite")) and not hasattr(config, "workerinput")
        self.counts = {suite: Counter[str]() for suite in SUITES}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.counts[suite_of(self.root, report.nodeid)][report.outcome] += 1

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        would_pass = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if self.every_suite and would_pass and self.complaints():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("suites")
        for suite, counts in self.counts.items():
            if counts or self.every_suite:
                figures = (f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped"))
                terminalreporter.line(f"{suite:18}{', '.join(figures)}")
        for complaint in self.complaints() if self.every_suite else []:
            terminalreporter.line(complaint, red=True)

    def complaints(self) -> list[str]:
        """What `--every-suite` calls a failure beyond failed tests."""
        silent = [f"{suite} ran no test" for suite, counts in self.counts.items() if not ran(counts)]
        skipping = [f"{suite} skipped {n['skipped']}" for suite, n in self.counts.items() if n["skipped"]]
        return silent + skipping


def ran(counts: Counter[str]) -> int:
    """How many tests were executed: a skipped one was not."""
    return counts["passed"] + counts["failed"]
