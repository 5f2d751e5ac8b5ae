"""The one command: loads only what was asked for, and says which extra is missing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from derb_tools import cli
from derb_tools.errors import PartMissing
from tools.command import run_derb


def test_the_version_is_said() -> None:
    finished = run_derb("--version")
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.startswith("derb 0.")


def test_help_names_every_subcommand() -> None:
    finished = run_derb("--help")
    assert finished.returncode == 0
    assert all(name in finished.stdout for name in cli.SUBCOMMANDS)


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("--nonsense",), ("replay",), ("decode",)])
def test_misuse_exits_2_and_speaks_on_stderr(arguments: tuple[str, ...]) -> None:
    finished = run_derb(*arguments)
    assert (finished.returncode, finished.stdout) == (2, "")
    assert "Usage: " in finished.stderr


def test_output_to_a_file_has_no_colours() -> None:
    assert "\x1b" not in run_derb("--help").stdout


def test_a_command_whose_packages_are_missing_names_the_extra() -> None:
    subcommand = cli.Subcommand("package_that_nobody_has:app", "tools", "")
    with pytest.raises(PartMissing, match=r'pip install "derb\[tools\]"'):
        cli.load("some", subcommand)


@pytest.mark.parametrize("target", ["derb_tools.of_the_future:app", "derb_tools.errors:of_the_future"])
def test_a_part_of_derb_that_is_not_there_does_not_name_an_extra(target: str) -> None:
    subcommand = cli.Subcommand(target, "tools", "")
    with pytest.raises(PartMissing, match="not in this version of derb"):
        cli.load("some", subcommand)


def test_the_start_of_the_command_imports_neither_gateway_nor_tools_packages() -> None:
    heavy = {
        "aiomqtt",
        "amqtt",
        "numpy",
        "pypi_simple",
        "derb_gateway",
        "derb_tools.board",
        "derb_tools.street",
    }
    code = "import sys, derb_tools.cli as cli; cli.build_app(None); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(loaded.stdout.split())


FRAME = ["decode", "21010000bfff9d61b8d305eadae3", "--node", "240ac4a1b2c3", "--key", bytes(range(32)).hex()]


@pytest.mark.parametrize("arguments", [["--help"], FRAME], ids=["help", "frame"])
def test_whoever_stops_reading_our_output_sees_no_complaint(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "derb_tools.cli", *arguments]
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=buffered) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
    assert errors == ""


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_stream_that_was_closed_beforehand_is_no_crash(closed: int) -> None:
    code = f"import os, sys; os.close({closed}); os.execv(sys.executable, sys.argv[1:])"
    command = [sys.executable, "-c", code, sys.executable, "-m", "derb_tools.cli", *FRAME]
    finished = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert bool(finished.stdout) == (closed != 1)


def test_output_onto_a_full_disk_fails_and_says_that_it_was_the_output() -> None:
    command = [sys.executable, "-m", "derb_tools.cli", "boards"]
    with Path("/dev/full").open("w") as full:
        finished = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert (finished.returncode, finished.stderr) == (1, "derb: the output: No space left on device\n")
