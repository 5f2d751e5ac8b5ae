"""The guards of the tests themselves: a suite that ran nothing fails, a dead interpreter fails its tests."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CONFIGURATION = "[pytest]\naddopts = --import-mode=importlib\n"
SUITE_FOLDERS = ("firmware", "gateway", "tools", "e2e")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A small copy of this tests/ with one passing test in each folder, all interpreters being CPython."""
    tests = tmp_path / "tests"
    shutil.copytree(TESTS / "firmware" / "runner", tests / "firmware" / "runner")
    shutil.copy(TESTS / "firmware" / "conftest.py", tests / "firmware")
    shutil.copy(TESTS / "conftest.py", tests)
    (tmp_path / "pytest.ini").write_text(CONFIGURATION)
    interpreters = tests / "firmware" / "runner" / "interpreters.py"
    interpreters.write_text(
        interpreters.read_text() + "\n\nCOMMAND_OF_INTERPRETER.update(unix64=cpython, wasm32=cpython)\n"
    )
    for folder in (*SUITE_FOLDERS, "."):
        (tests / folder).mkdir(exist_ok=True)
        (tests / folder / "test_one.py").write_text("def test_one():\n    pass\n")
    return tests


def run_pytest(tests: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tests), *arguments]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        command, cwd=tests.parent, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def write_firmware_test(tests: Path, content: str) -> None:
    (tests / "firmware" / "test_one.py").write_text(content)


def test_all_suites_that_ran_are_well(copy: Path) -> None:
    finished = run_pytest(copy, "--every-suite")
    assert finished.returncode == 0, finished.stdout
    for suite in (
        "firmware-unix64",
        "firmware-wasm32",
        "firmware-cpython",
        "gateway",
        "tools",
        "e2e",
        "house",
    ):
        assert f"{suite:18}1 passed, 0 failed, 0 skipped" in finished.stdout


def test_fast_suites_come_first(copy: Path) -> None:
    finished = run_pytest(copy, "-v")
    places = [finished.stdout.index(f"tests/{folder}/test_one.py::") for folder in SUITE_FOLDERS]
    assert places == sorted(places)


@pytest.mark.parametrize("folder", SUITE_FOLDERS)
def test_a_suite_that_ran_nothing_fails_the_whole_run(copy: Path, folder: str) -> None:
    (copy / folder / "test_one.py").unlink()
    finished = run_pytest(copy, "--every-suite")
    assert finished.returncode == 1
    assert f"{folder}" in finished.stdout
    assert "ran no test" in finished.stdout


def test_a_suite_that_ran_nothing_fails_processes_beside_one_another_as_well(copy: Path) -> None:
    beside = ("-p", "xdist.plugin", "-n", "4", "--dist", "worksteal")
    finished = run_pytest(copy, "--every-suite", *beside)
    assert finished.returncode == 0, finished.stdout
    assert f"{'firmware-wasm32':18}1 passed, 0 failed, 0 skipped" in finished.stdout
    (copy / "e2e" / "test_one.py").unlink()
    finished = run_pytest(copy, "--every-suite", *beside)
    assert finished.returncode == 1
    assert "e2e ran no test" in finished.stdout


def test_a_part_of_the_tests_may_be_run_alone(copy: Path) -> None:
    assert run_pytest(copy / "tools").returncode == 0


def test_a_skipped_test_fails_the_whole_run(copy: Path) -> None:
    (copy / "e2e" / "test_two.py").write_text(
        "import pytest\ndef test_two():\n    pytest.skip('no broker')\n"
    )
    finished = run_pytest(copy, "--every-suite")
    assert finished.returncode == 1
    assert "e2e skipped 1" in finished.stdout


def test_a_suite_that_cannot_be_imported_fails(copy: Path) -> None:
    (copy / "gateway" / "test_two.py").write_text("import nothing_of_this_name\n")
    assert run_pytest(copy, "--every-suite").returncode not in (0, 5)


def test_a_failing_firmware_test_is_told_with_its_traceback_and_what_it_printed(copy: Path) -> None:
    write_firmware_test(
        copy, "def test_a():\n    print('before', end='')\n    assert 1 == 2\n\ndef test_b():\n    pass\n"
    )
    finished = run_pytest(copy, "-k", "cpython")
    assert "1 failed, 1 passed" in finished.stdout
    assert "in cpython:" in finished.stdout
    assert "assert 1 == 2" in finished.stdout
    assert "before" in finished.stdout


def test_a_firmware_file_that_cannot_be_imported_fails_every_test_in_it(copy: Path) -> None:
    write_firmware_test(
        copy, "import nothing_of_this_name\ndef test_a():\n    pass\ndef test_b():\n    pass\n"
    )
    assert "6 failed" in run_pytest(copy / "firmware").stdout


def test_a_process_that_dies_fails_the_tests_it_did_not_finish(copy: Path) -> None:
    write_firmware_test(
        copy, "import os\ndef test_a():\n    pass\ndef test_b():\n    os._exit(7)\ndef test_c():\n    pass\n"
    )
    finished = run_pytest(copy / "firmware", "-k", "cpython")
    assert "2 failed, 1 passed" in finished.stdout
    assert "the interpreter ended before this test did: exit code 7" in finished.stdout


def test_a_process_that_never_ends_is_killed(copy: Path) -> None:
    write_firmware_test(copy, "TIMEOUT_S = 0.5\ndef test_a():\n    while True:\n        pass\n")
    finished = run_pytest(copy / "firmware", "-k", "cpython")
    assert "killed after 0.5 s" in finished.stdout


def test_a_firmware_file_without_tests_is_an_error(copy: Path) -> None:
    write_firmware_test(copy, "def helper():\n    pass\n")
    finished = run_pytest(copy / "firmware")
    assert finished.returncode not in (0, 5)
    assert "test_one.py has no test" in finished.stdout


def test_a_file_says_in_which_interpreters_it_runs(copy: Path) -> None:
    write_firmware_test(copy, "INTERPRETERS = ('unix64',)\ndef test_a():\n    pass\n")
    assert "1 passed" in run_pytest(copy / "firmware").stdout
    write_firmware_test(copy, "INTERPRETERS = ('pdp11',)\ndef test_a():\n    pass\n")
    assert "INTERPRETERS are unix64, wasm32, cpython" in run_pytest(copy / "firmware").stdout
