"""Recordings as a simulated board reads them: fixed-size records, little-endian, so that a wake can seek.

`*.mag`:  "DERBMAG1", u32 period_ms, u32 count; then x_nt, y_nt, z_nt (i32), temp_c100 (i16).
`*.echo`: "DERBECH1", u32 period_ms, u16 pings, u16 0, u32 count; then temp_c100 (i16) and i32 for each ping.
Record i holds for t = i * period_ms; a reader that comes past the end starts again.
"""

import struct
from pathlib import Path

import numpy as np

from derb_tools.street.level import LevelTrace
from derb_tools.street.trace import Trace
from derb_tools.street.types import Ints

MAG_RECORD = np.dtype([("field_nt", "<i4", 3), ("temp_c100", "<i2")])


def write_mag(trace: Trace, path: Path, period_ms: int = 1000) -> None:
    """A parking recording at an even period; a sample that is missing is the one before it."""
    at = _held(trace.t_ms, period_ms)
    records = np.zeros(len(at), dtype=MAG_RECORD)
    records["field_nt"] = trace.field_nt[at]
    records["temp_c100"] = trace.temp_c100[at]
    path.write_bytes(struct.pack("<8sII", b"DERBMAG1", period_ms, len(at)) + records.tobytes())


def write_echo(trace: LevelTrace, path: Path, period_ms: int) -> None:
    """A level recording at an even period."""
    at = _held(trace.t_ms, period_ms)
    pings = trace.echo_us.shape[1]
    records = np.zeros(len(at), dtype=np.dtype([("temp_c100", "<i2"), ("echo_us", "<i4", (pings,))]))
    records["echo_us"] = trace.echo_us[at]
    records["temp_c100"] = trace.temp_c100[at]
    head = struct.pack("<8sIHHI", b"DERBECH1", period_ms, pings, 0, len(at))
    path.write_bytes(head + records.tobytes())


def _held(t_ms: Ints, period_ms: int) -> Ints:
    """For each even instant the last sample before half a period later: times jitter by milliseconds."""
    even = np.arange(0, int(t_ms[-1]) + period_ms // 2, period_ms)
    return np.maximum(np.searchsorted(t_ms, even + period_ms // 2, side="right") - 1, 0)
