"""Runs a module once and lets go of it: the heap of the smallest boards holds each part of a wake, and not all of them."""

import gc
import sys


def call(module, function, *arguments):
    """Return what `derb.module.function(*arguments)` returns; whatever of derb was imported for it can then be collected.

    What is returned should not be of a class that came with it: an instance keeps its whole module.
    """
    known = tuple(sys.modules)
    found = __import__("derb." + module, None, None, (function,))
    try:
        return getattr(found, function)(*arguments)
    finally:
        del found
        _forget(known)
        gc.collect()


def _forget(known):
    for name in [name for name in sys.modules if name not in known and name.startswith("derb.")]:
        module = sys.modules.pop(name, None)
        package, _, own = name.rpartition(".")
        # A package holds its modules too; one that goes itself needs no tidying.
        if package in sys.modules and getattr(sys.modules[package], own, None) is module:
            delattr(sys.modules[package], own)
