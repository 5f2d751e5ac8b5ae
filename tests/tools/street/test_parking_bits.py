"""The same states and records, bit for bit, whatever runs the firmware: on recordings of the simulator, faults and all."""

import base64
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from derb_tools.street import parking_trace
from derb_tools.street.trace import Trace

sys.path.insert(0, str(Path(__file__).parents[2] / "firmware"))
from runner.interpreters import COMMAND_OF_INTERPRETER, ROOT

SAMPLES = 4000
ROW = "<HiiihB"
CODE = """
import binascii, struct
from derb.parking import Parking
rows, parking, states, crc = binascii.a2b_base64(%r), Parking(), 0, 0
for at in range(0, len(rows), %d):
    step_ms, x, y, z, temp_c100, signal = struct.unpack_from(%r, rows, at)
    changed = parking.step(step_ms, x, y, z, temp_c100, -signal if signal else None)
    states += changed
    crc = binascii.crc32(bytes((changed, parking.state, parking.confidence, parking.busy)), crc)
    if at %% 40 == 0:
        record = parking.dumps()
        crc = binascii.crc32(record, crc)
        parking = Parking(record)
print(crc & 0xffffffff, states)
"""


def rows(trace: Trace) -> bytes:
    """Step, field, temperature, signal of each sample; the first of them comes a second after nothing."""
    steps = [1000, *(b - a for a, b in zip(trace.t_ms.tolist(), trace.t_ms.tolist()[1:], strict=False))]
    signal = [0] * len(steps) if trace.rssi_dbm is None else (-trace.rssi_dbm).tolist()
    columns = zip(steps, trace.field_nt.tolist(), trace.temp_c100.tolist(), signal, strict=True)
    return b"".join(
        struct.pack(ROW, min(step, 65535), *field, temp, dbm) for step, field, temp, dbm in columns
    )


def said(interpreter: str, code: str) -> str:
    command = COMMAND_OF_INTERPRETER[interpreter](code, 2048)
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()


@pytest.mark.parametrize("scenario", ["wake_on_change", "brief_stops", "stuck_saturated"])
def test_three_interpreters_say_and_remember_the_same(scenario: str) -> None:
    trace = parking_trace(scenario, 7, days=0.5, rssi=True)
    packed = rows(trace)[: SAMPLES * struct.calcsize(ROW)]
    code = CODE % (base64.b64encode(packed), struct.calcsize(ROW), ROW)
    answers = {interpreter: said(interpreter, code) for interpreter in COMMAND_OF_INTERPRETER}
    assert len(set(answers.values())) == 1, answers
    crc, states = answers["unix64"].split()
    assert crc.isdigit()
    assert int(states) >= 2, "nothing happened in this recording"
