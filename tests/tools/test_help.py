"""What is written of the commands is so: examples in help and documentation name commands and options that are there."""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
from derb_tools.cli import SUBCOMMANDS, build_app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_CALL = re.compile(r"(?:^|[\s`(/])derb ((?:[a-z{FO<-]|\[)[^`\n]*)")


@cache
def root_of(name: str) -> Any:
    """The click command `derb`, with the subcommand of that name in it."""
    return typer.main.get_command(build_app(name))


def command_of(path: list[str]) -> Any:
    """The click command at the end of a path of names."""
    found = root_of(path[0])
    for name in path:
        found = found.commands[name]
    return found


def leaves(path: list[str]) -> Iterator[list[str]]:
    command = command_of(path)
    if not hasattr(command, "commands"):
        yield path
        return
    for name in command.commands:
        yield from leaves([*path, name])


LEAVES = [leaf for name in SUBCOMMANDS for leaf in leaves([name])]


def problem(words: list[str]) -> str | None:
    """What is wrong with the words after `derb`: a command that is not there, or an option that it does not have."""
    path: list[str] = []
    command = root_of(words[0])
    while hasattr(command, "commands"):
        if len(words) == len(path):
            return None  # a group is spoken of
        name = words[len(path)]
        if name not in command.commands:
            return None if name == "…" else f"no command {' '.join([*path, name])}"
        command = command.commands[name]
        path.append(name)
    known = {option for param in command.params for option in param.opts + param.secondary_opts} | {"--help"}
    wrong = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    return f"{' '.join(path)} has no {', '.join(wrong)}" if wrong else None


def words_of(call: str) -> list[str]:
    """The words of one call, up to what the shell does with it."""
    text = re.split(r"\s(?:[|#>;&]|-->)|\s{2,}|[;:)]\s|[;:),.]+$|\\$", call)[0]
    try:
        return shlex.split(text.rstrip(".,;:)"))
    except ValueError:
        return text.split()


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_shows_an_example_that_is_one(path: list[str]) -> None:
    help_text = command_of(path).help
    shown = [line.removeprefix("sudo ") for line in help_text.partition("\b\n")[2].splitlines()]
    calls = [line.strip().removeprefix("derb ") for line in shown if line.strip().startswith("derb ")]
    assert any(words_of(call)[: len(path)] == path for call in calls), help_text
    assert [wrong for call in calls if (wrong := problem(words_of(call)))] == []
    assert "\\b" not in help_text, "an escape that was escaped"


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_option_and_argument_says_what_it_is(path: list[str]) -> None:
    params = command_of(path).params
    assert [param.name for param in params if not param.help and not getattr(param, "hidden", False)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_in_the_documentation_is_there(page: Path) -> None:
    text = page.read_text("utf-8").replace("\\\n", " ")
    calls = [words_of(match[1]) for match in _CALL.finditer(text)]
    wrong = [
        found for words in calls if words and words[0] in SUBCOMMANDS for found in [problem(words)] if found
    ]
    assert wrong == []
    if page.name == "README.md":
        assert len(calls) > 20, "they are found"
