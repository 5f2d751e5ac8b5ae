"""The promises on which every other firmware test stands: where it runs, what it sees there."""

import json
import sys


def test_the_three_interpreters_differ_in_the_width_of_their_integers():
    widths = {("micropython", 2**63 - 1), ("micropython", 2**31 - 1), ("cpython", sys.maxsize)}
    assert (sys.implementation.name, sys.maxsize) in widths


def test_the_golden_vectors_can_be_read_from_the_root_of_the_checkout():
    with open("tests/vectors/runner.json") as file:
        assert json.load(file) == {"made_for": "tests/firmware/test_runner.py"}


def test_firmware_modules_may_import_const_everywhere():
    from micropython import const

    assert const(7) == 7
