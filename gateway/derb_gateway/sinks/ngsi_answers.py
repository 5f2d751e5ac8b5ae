"""What a context broker says of a batch upsert, entity by entity. Pure.

ETSI GS CIM 009, 5.6.8 and 6.14: 204 all updated, 201 some created, 207 some failed. Brokers differ: Orion-LD also answers
207 when nothing failed, Scorpio with a list of its own, or with 207 and no body at all.
"""

import json
from typing import Any, NamedTuple

_FINAL = "BadRequestData"
_NO_REASON = "no reason given"
_WHY_KEPT = 300


class Failure(NamedTuple):
    """An entity that was not taken, why, and whether it never will be."""

    entity: str
    why: str
    final: bool


def failures(status: int, body: bytes) -> list[Failure] | None:
    """Return the entities that failed; None if the answer says that some did and not which."""
    try:
        told = json.loads(body) if body.strip() else None
    except (ValueError, RecursionError):
        told = None
    if isinstance(told, dict) and isinstance(told.get("errors"), list):
        return _read([_error(each) for each in told["errors"]])
    if isinstance(told, list) and status == 207:
        return _read([_of_scorpio(each) for each in told])
    if isinstance(told, dict) and isinstance(told.get("success"), list) and status == 207:
        return []
    return None if status == 207 else []


def _read(found: "list[Failure | bool | None]") -> list[Failure] | None:
    """Return the failures, None if one of them cannot be read; False stands for a success."""
    if any(each is None for each in found):
        return None
    return [each for each in found if isinstance(each, Failure)]


def _error(each: Any) -> Failure | bool | None:
    if not isinstance(each, dict) or not isinstance(each.get("entityId"), str):
        return None
    return _failure(each["entityId"], each.get("error"))


def _of_scorpio(each: Any) -> Failure | bool | None:
    if isinstance(each, str):
        return False  # an id: created or updated
    if not isinstance(each, dict) or not isinstance(each.get("id"), str):
        return None
    if failure := each.get("failure") or each.get("failures"):
        return _failure(each["id"], failure[0] if isinstance(failure, list) else failure)
    return _failure(each["id"], None) if each.get("success") is False else False


def _failure(entity: str, error: Any) -> Failure:
    if not isinstance(error, dict):
        return Failure(entity, str(error or _NO_REASON)[:_WHY_KEPT], final=_FINAL in str(error))
    words = [str(error[name]) for name in ("title", "detail") if error.get(name)]
    final = str(error.get("type", "")).endswith(_FINAL) or error.get("status") == 400
    return Failure(entity, (": ".join(words) or _NO_REASON)[:_WHY_KEPT], final)
