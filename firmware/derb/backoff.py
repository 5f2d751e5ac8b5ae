"""How long to wait after attempts that failed."""

from micropython import const

_FIRST_BACKOFF_S = const(60)


def backoff_s(failures, most_s, chance):
    """Return how long to wait after so many failures in a row; `chance` is 0 to 65,535.

    Doubling, with chance over the upper half: nodes that lost the same broker do not come back together.
    """
    longest = min(most_s, _FIRST_BACKOFF_S << min(failures - 1, 12))
    return longest // 2 + chance * (longest // 2 + 1) // 65536
