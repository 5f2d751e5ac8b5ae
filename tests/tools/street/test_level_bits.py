"""The same answers, bit for bit, whatever runs the firmware: on recordings of the simulator, faults and all."""

import subprocess
import sys
from pathlib import Path

import pytest
from derb_tools.street import level_trace

sys.path.insert(0, str(Path(__file__).parents[2] / "firmware"))
from runner.interpreters import COMMAND_OF_INTERPRETER, ROOT

READINGS = 250
CODE = """
import binascii
from derb.fill_events import FillEvents
from derb.level import Level
level, events, last_ms, crc = Level(%d, %d), FillEvents(), 0, 0
for t_ms, temp_c100, pings in %s:
    elapsed_s = (t_ms - last_ms) // 1000
    last_ms = t_ms
    answer = level.measure(pings, temp_c100, elapsed_s=elapsed_s)
    events.step(answer[0], answer[2], elapsed_s=elapsed_s)
    crc = binascii.crc32(repr((answer, events.collected, events.full)).encode() + level.dumps() + events.dumps(), crc)
    level, events = Level(%d, %d, saved=level.dumps()), FillEvents(events.dumps())
print(crc & 0xffffffff)
"""


def said(interpreter: str, code: str) -> str:
    command = COMMAND_OF_INTERPRETER[interpreter](code, 2048)
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


@pytest.mark.parametrize("scenario", ["level_hell", "hard_walls", "lumpy", "wall_echo", "edinburgh"])
def test_three_interpreters_answer_the_same(scenario: str) -> None:
    trace = level_trace(scenario, 7, days=READINGS / 48)
    rows = list(zip(trace.t_ms.tolist(), trace.temp_c100.tolist(), trace.echo_us.tolist(), strict=True))
    size = (trace.empty_mm, trace.full_mm)
    code = CODE % (*size, repr(rows).replace(" ", ""), *size)
    answers = {interpreter: said(interpreter, code) for interpreter in COMMAND_OF_INTERPRETER}
    assert answers["unix64"].isdigit()
    assert len(set(answers.values())) == 1, answers
