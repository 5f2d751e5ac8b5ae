"""The answers of context brokers as they were seen, and as a hostile one might give them."""

import json

import pytest
from derb_gateway.sinks.ngsi_answers import Failure, failures

BAD = {"type": "https://uri.etsi.org/ngsi-ld/errors/BadRequestData", "title": "Bad", "detail": "no such"}
INTERNAL = {"type": "https://uri.etsi.org/ngsi-ld/errors/InternalError", "title": "Oops"}


def told(status: int, content: object) -> list[Failure] | None:
    return failures(status, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (204, b""),
        (201, b'["urn:a"]'),
        (200, b""),
        (200, b"<html>"),
        (201, b"{"),
        (207, b'{"success": ["urn:a"], "errors": []}'),
        (207, b'{"success": ["urn:a"]}'),
        (207, b'[{"id": "urn:a", "type": "x", "success": true}]'),
        (207, b'[{"id": "urn:a", "success": [{"attrs": []}], "failure": []}]'),
        (207, b'["urn:a"]'),
    ],
)
def test_all_is_taken(status: int, body: bytes) -> None:
    assert failures(status, body) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{}",
        b"7",
        b"null",
        b"{",
        b"\xff",
        b'{"errors": 7}',
        b'{"errors": [7]}',
        b'{"errors": [{}]}',
        b'[{"no": "id"}]',
        b"[7]",
        b"[" * 100_000,
        b'{"errors": [{"entityId": 7}]}',
    ],
)
def test_a_207_that_names_nobody_is_unclear(body: bytes) -> None:
    assert failures(207, body) is None


def test_errors_of_the_standard_and_whether_they_are_for_good() -> None:
    errors = [{"entityId": "urn:a", "error": BAD}, {"entityId": "urn:b", "error": INTERNAL}]
    assert told(207, {"success": [], "errors": errors}) == [
        Failure("urn:a", "Bad: no such", final=True),
        Failure("urn:b", "Oops", final=False),
    ]


def test_errors_beside_a_status_that_says_otherwise_count_too() -> None:
    assert told(201, {"errors": [{"entityId": "urn:a", "error": BAD}]}) == [
        Failure("urn:a", "Bad: no such", True)
    ]


def test_a_list_of_scorpios_own() -> None:
    content = [
        {"id": "urn:a", "type": "upsert", "success": True},
        {"id": "urn:b", "failure": [{"status": 400, "title": "Bad"}]},
        {"id": "urn:c", "success": False},
    ]
    assert told(207, content) == [Failure("urn:b", "Bad", True), Failure("urn:c", "no reason given", False)]


@pytest.mark.parametrize("error", [None, "BadRequestData", 7, [], {}, {"type": 7}, {"title": "x" * 10**6}])
def test_odd_errors_are_still_errors(error: object) -> None:
    (failure,) = told(207, {"errors": [{"entityId": "urn:a", "error": error}]}) or []
    assert failure.entity == "urn:a"
    assert len(failure.why) <= 300
    assert failure.final == (error == "BadRequestData")
