"""Tells an exception on stderr, with its traceback, and ends with exit code 1; on MicroPython and CPython."""

import sys


def and_exit(error):
    if hasattr(sys, "print_exception"):
        sys.print_exception(error, sys.stderr)
    else:
        import traceback

        traceback.print_exception(error)
    sys.exit(1)
