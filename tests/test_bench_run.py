"""`make bench`: a benchmark that failed, or said nothing, is told from one that ran."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent / "bench" / "run.py"
IMPORT = """
import runpy, sys
ours, before = sys.path[1:], set(sys.modules)
for script in sys.argv[2:]:
    sys.path[:] = [sys.argv[1], *ours]
    # Each finds what it imports from beside it by itself, as a process of its own would.
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "gateway", "e2e", "tools")]:
        del sys.modules[name]
    try:
        runpy.run_path(script)
    except Exception as error:
        print(script, repr(error))
"""
FIGURE = 'print(\'{"bench": "a", "figure": "bytes", "value": 14, "unit": "B"}\')\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(RUN, tmp_path)
    return tmp_path


def bench(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(folder / "run.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_figures_are_passed_on(folder: Path) -> None:
    (folder / "bench_a.py").write_text(FIGURE)
    finished = bench(folder)
    assert (finished.returncode, finished.stdout.count("\n")) == (0, 1)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "print('fast')\n",
        "print(5)\n",
        FIGURE.replace("14", "NaN"),
        FIGURE.replace("14", '"14"'),
        FIGURE.replace('"unit"', '"units"'),
        FIGURE + "raise SystemExit(1)\n",
    ],
)
def test_a_benchmark_that_went_wrong_fails_the_run_and_the_others_run_all_the_same(
    folder: Path, content: str
) -> None:
    (folder / "bench_a.py").write_text(content)
    (folder / "bench_b.py").write_text(FIGURE)
    finished = bench(folder)
    assert finished.returncode == 1
    assert "failed: bench_a\n" in finished.stderr
    assert '"value": 14' in finished.stdout


def test_every_benchmark_finds_what_it_imports() -> None:
    scripts = sorted(map(str, RUN.parent.glob("bench_*.py")))
    assert scripts
    command = [sys.executable, "-c", IMPORT, str(RUN.parent), *scripts]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert finished.stdout == ""


def test_a_word_chooses(folder: Path) -> None:
    (folder / "bench_a.py").write_text("raise SystemExit(1)\n")
    (folder / "bench_b.py").write_text(FIGURE)
    assert bench(folder, "b").returncode == 0


def test_nothing_to_run_is_misuse(folder: Path) -> None:
    assert bench(folder, "nothing").returncode == 2
