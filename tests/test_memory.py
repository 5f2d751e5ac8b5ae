"""The node's budgets of heap: what it grows by must be seen before a board sees it. tests/weight says how it is weighed."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from derb_tools.interpreters import micropython_command

from tests.weight import weighing
from tests.weight.weighing import (
    CONFIGS,
    ESPNOW,
    mpy_folder,
    record_after,
    runs_in,
    table_bytes,
    weigh_stage,
    weigh_update,
)

# Bytes in the heaviest stages, everything that is imported for them still there; docs/memory.md has the figures of today.
RESIDENT = {"parking": 60_000, "level": 59_000}
# Bytes in which a whole wake runs on the 64-bit unix port, whose objects are about twice the size.
WHOLE_WAKE_64 = {"parking": 94_500, "level": 94_000}
# And on a 32-bit one, where there is one: 45 KB for the node and 20 KB for what it does.
WHOLE_WAKE_32 = 46_080 + 20_480


@pytest.fixture(scope="module")
def mpy() -> Iterator[Path]:
    with mpy_folder() as folder:
        yield folder


@pytest.fixture(
    scope="module", params=[f"{kind}, {before}" for kind in CONFIGS for before in ("cold", "asleep")]
)
def wake(request: pytest.FixtureRequest, mpy: Path) -> tuple[str, str]:
    """(kind, RTC memory as hex)."""
    kind, before = request.param.split(", ")
    return kind, "" if before == "cold" else record_after(mpy, CONFIGS[kind])


@pytest.mark.parametrize("stage", ["sense", "trip"])
def test_no_stage_holds_more_than_its_budget(wake: tuple[str, str], stage: str, mpy: Path) -> None:
    kind, record = wake
    resident = weigh_stage(mpy, CONFIGS[kind], record, stage).resident
    assert 20_000 < resident <= RESIDENT[kind], "see `make bench ONLY=memory`"


def test_a_whole_wake_runs_in_its_budget(wake: tuple[str, str], mpy: Path) -> None:
    kind, record = wake
    assert runs_in(micropython_command(), mpy, CONFIGS[kind], record, WHOLE_WAKE_64[kind])
    assert not runs_in(micropython_command(), mpy, CONFIGS[kind], record, WHOLE_WAKE_64[kind] // 2)
    if program := os.environ.get("MICROPYTHON_32"):
        assert runs_in([program], mpy, CONFIGS[kind], record, WHOLE_WAKE_32)


def test_espnow_and_an_update_keep_their_budgets_too(mpy: Path) -> None:
    assert 20_000 < weigh_stage(mpy, ESPNOW, "", "trip").resident <= 57_500
    assert 60_000 < weigh_update(mpy, CONFIGS["parking"]).resident <= 73_500
    assert runs_in(micropython_command(), mpy, ESPNOW, "", WHOLE_WAKE_64["parking"])


def test_tables_of_names_double() -> None:
    assert [table_bytes(names) for names in (0, 1, 20, 21, 1260, 1261)] == [0, 140, 140, 420, 8820, 17_780]


def test_node_is_asked_once_more_when_it_never_ends_and_no_oftener(
    mpy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, stuck = weighing._run_node, [True]

    def run_or_hang(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        if stuck and stuck.pop():
            raise subprocess.TimeoutExpired(command, 60)
        return run(command)

    monkeypatch.setattr(weighing, "_run_node", run_or_hang)
    assert weigh_stage(mpy, CONFIGS["level"], "", "load").resident > 0
    assert "asked once more" in capsys.readouterr().err
    stuck += [True, True]
    with pytest.raises(subprocess.TimeoutExpired):
        weigh_stage(mpy, CONFIGS["level"], "", "load")
