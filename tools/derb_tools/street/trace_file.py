"""A parking recording read back from its CSV, whole, for the references."""

from pathlib import Path

import numpy as np

from derb_tools.street.trace import Trace, Truth
from derb_tools.trace_samples import ParkingSample, Tally, parking_samples


def read_trace(path: Path, truth: Truth) -> Trace:
    """The inverse of `write_trace`, as `derb replay` reads it: what lacks a value is left out. Raises RecordingError."""
    samples: list[ParkingSample] = []
    restarts: list[str] = []
    restart = ""
    for each in parking_samples(path, Tally()):
        # A restart without a sample comes before the next one that is there.
        restart = each.restart or restart
        if each.field_nt is not None:
            samples.append(each)
            restarts.append(restart)
            restart = ""
    rssi = [each.rssi_dbm for each in samples]
    return Trace(
        scenario=path.stem,
        seed=0,
        t_ms=np.array([each.t_ms for each in samples], dtype=np.int64),
        field_nt=np.array([each.field_nt for each in samples], dtype=np.int64),
        temp_c100=np.array([each.temp_c100 for each in samples], dtype=np.int64),
        rssi_dbm=None if None in rssi else np.array(rssi, dtype=np.int64),
        restart=np.array(restarts, dtype=object),
        truth=truth,
    )
