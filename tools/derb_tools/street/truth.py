"""The truth of a bay from its visits and its node's faults."""

from collections.abc import Sequence

import numpy as np

from derb_tools.street.faults import FaultInterval
from derb_tools.street.trace import FREE, OCCUPIED, Truth
from derb_tools.street.types import Flags, Floats
from derb_tools.street.vehicles import Fleet
from derb_tools.street.visits import Visit, reach_m

Piece = tuple[float, int, bool, str, str]


def bay_truth(fleet: Fleet, visits: Sequence[Visit], faults: Sequence[FaultInterval], span_s: float) -> Truth:
    """Occupied from the stop until the body has left the bay; manoeuvres and faults are not judged."""
    pieces = [piece for piece in _pieces(fleet, visits) if piece[0] < span_s]
    cuts = sorted({0.0, *(max(p[0], 0.0) for p in pieces), *_fault_edges(faults, span_s)})
    rows = [_at(cut, pieces, faults) for cut in cuts]
    return Truth(
        t_ms=np.rint(np.array(cuts) * 1000.0).astype(np.int64),
        state=np.array([row[1] for row in rows], dtype=np.int64),
        excluded=np.array([row[2] for row in rows]),
        vehicle=np.array([row[3] for row in rows], dtype=object),
        note=np.array([row[4] for row in rows], dtype=object),
        end_ms=round(span_s * 1000.0),
    )


def under_vehicle(visits: Sequence[Visit], t_s: Floats) -> Flags:
    """Whether a vehicle stands over the node at each time."""
    covered = np.zeros(len(t_s), dtype=np.bool_)
    for visit in visits:
        covered |= (t_s >= visit.stop_s) & (t_s < visit.leave_s)
    return covered


def _pieces(fleet: Fleet, visits: Sequence[Visit]) -> list[Piece]:
    pieces: list[Piece] = [(float("-inf"), FREE, False, "", "")]
    for visit in visits:
        kind, reach = fleet.kind_name(visit.vehicle), reach_m(fleet, visit.vehicle)
        pieces += [
            (visit.covers_from_s(reach), FREE, True, kind, "arriving"),
            (visit.stop_s, OCCUPIED, False, kind, ""),
            (visit.leave_s, OCCUPIED, True, kind, "leaving"),
            (visit.clear_s(reach), FREE, False, "", ""),
        ]
    return sorted(pieces, key=lambda piece: piece[0])


def _fault_edges(faults: Sequence[FaultInterval], span_s: float) -> list[float]:
    edges = [edge for fault in faults for edge in (fault.from_s, fault.until_s)]
    return [edge for edge in edges if edge < span_s]


def _at(at_s: float, pieces: Sequence[Piece], faults: Sequence[FaultInterval]) -> Piece:
    piece = next(piece for piece in reversed(pieces) if piece[0] <= at_s)
    for fault in faults:
        if fault.from_s <= at_s < fault.until_s:
            return (at_s, piece[1], True, piece[3], fault.what)
    return piece
