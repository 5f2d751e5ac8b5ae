"""How much of a fault campaign a run tries: a seeded sample by default, all of it with DERB_CAMPAIGN=full."""

import itertools
import os
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

FULL = os.environ.get("DERB_CAMPAIGN", "") == "full"
SEED = 20_261_128


def chosen(cases: Sequence[T], sample: int, name: str) -> list[T]:
    """All cases in a full campaign; else `sample` of them, one at random from each of as many equal stretches of their order.

    So no stretch is left out, and a campaign's `name` always chooses the same cases.
    """
    if FULL or len(cases) <= sample:
        return list(cases)
    chance = random.Random(f"{SEED} {name}")
    edges = [i * len(cases) // sample for i in range(sample + 1)]
    return [cases[chance.randrange(low, high)] for low, high in itertools.pairwise(edges)]


def size(whole: int, sample: int) -> int:
    """How much there is of what is counted and not listed."""
    return whole if FULL else sample


def how_much(tried: int, whole: int) -> str:
    """What a campaign prints: how many of how many, and how to have them all."""
    return f"{tried} of {whole}" + ("" if tried == whole else " (DERB_CAMPAIGN=full for all)")
