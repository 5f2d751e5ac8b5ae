"""Whether what stands in the store as a reading's body can be one. Pure."""

import json

from derb_gateway.readings import KIND_NAMES, LEVEL, LEVEL_STATUSES, PARKING, PARKING_STATES, PLACE

_STATUSES = {"ok", *LEVEL_STATUSES.values()}


def plausible(kind: int, body: str) -> bool:
    """Return whether a body can be one of ours: a page has no checksum, and a wrong word is worse than none."""
    try:
        fields = json.loads(body)
    except ValueError:
        return False
    if kind not in KIND_NAMES or not isinstance(fields, dict):
        return False
    if kind == PARKING:
        return fields.get("state") in PARKING_STATES
    if kind == PLACE:
        return isinstance(fields.get("state"), str)
    return kind != LEVEL or fields.get("status") in _STATUSES
