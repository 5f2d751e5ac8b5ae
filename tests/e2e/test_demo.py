"""The demo runs as a user runs it, on either broker, and says the truth at its end."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DERB = [str(Path(sys.executable).with_name("derb")), "demo", "--json"]


def _summary(process: subprocess.CompletedProcess[str]) -> dict[str, float]:
    assert process.returncode == 0, process.stderr
    summary: dict[str, float] = json.loads(process.stdout)
    return summary


@pytest.mark.parametrize("broker", ["mosquitto", "amqtt"])
def test_every_reading_of_the_street_arrives_exactly_once(broker: str, tmp_path: Path) -> None:
    command = [
        *DERB,
        "--seconds",
        "10",
        "--broker",
        broker,
        "--keep",
        str(tmp_path),
        "--picture",
        str(tmp_path / "a.svg"),
    ]
    summary = _summary(subprocess.run(command, capture_output=True, text=True, timeout=150, check=False))
    assert summary["sent"] >= 24, "each of the twelve nodes says at least its first reading and its health"
    assert summary["sent"] == summary["stored"] == summary["forwarded"] == summary["in_files"]
    assert (summary["lost"], summary["doubled"], summary["crashes"]) == (0, 0, 0)
    assert "bay-1" in (tmp_path / "a.svg").read_text().replace("&#160;", " ")


def test_ctrl_c_ends_it_with_a_summary() -> None:
    """A terminal sends it to every process of the group, the boards among them."""
    with subprocess.Popen(
        DERB, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        deadline = time.monotonic() + 60
        while (
            "readings kept" not in (line := process.stderr.readline())
            and line
            and time.monotonic() < deadline
        ):
            continue
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=90)
    summary = _summary(subprocess.CompletedProcess(DERB, process.returncode, out, err))
    assert summary["lost"] == summary["doubled"] == 0


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    process = subprocess.run(
        [*DERB, "--keep", str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert process.returncode == 2
    assert "not empty" in process.stderr
