"""Lengths of field vectors in nanotesla, in integers that stay below 2^30: a 32-bit board allocates nothing for them."""

from micropython import const

FINE = const(6)  # averages are kept in 1/64 nT, so that slow drift is not lost in rounding
_LARGEST_NT = const(1000000)
_HALF_NT = const(23000)
# 64 ln(1 + i / 16)
_LN = (0, 4, 8, 11, 14, 17, 20, 23, 26, 29, 31, 33, 36, 38, 40, 42, 44)

_LN_SMALL = (0, 0, 44, 70, 89, 103, 115, 125, 133, 141, 147, 153, 159, 164, 169, 173)


def clip_nt(value):
    """Return `value`, no farther from zero than 1 mT."""
    if value > _LARGEST_NT:
        return _LARGEST_NT
    return -_LARGEST_NT if value < -_LARGEST_NT else value


def share(dt_ms, time_ms):
    """Return how much of the way, of 16384, an average of `time_ms` goes in `dt_ms` towards what it averages."""
    return (dt_ms << 10) // (dt_ms + time_ms >> 4) if dt_ms < 1 << 19 else 16384


def toward(average, value_nt, weight):
    """Return `average` (1/64 nT) moved to `value_nt` by `weight` of 16384."""
    off = clip_nt(value_nt - (average >> FINE))
    if -_HALF_NT < off < _HALF_NT:
        return average + (off * weight >> 8)
    return average + ((off * (weight >> 4)) >> 4)


def length(x, y, z):
    """Return the length of a vector, right to 1/8000 or better."""
    x, y, z = abs(x), abs(y), abs(z)
    root = max(x, y, z)
    shift = 0
    while root > 16383:
        root >>= 1
        shift += 1
    if not root:
        return 0
    x >>= shift
    y >>= shift
    z >>= shift
    square = x * x + y * y + z * z
    root = (root + square // root) >> 1
    root = (root + square // root) >> 1
    root = (root + square // root) >> 1
    return root << shift


def across(x, y, z, u, v, w):
    """Return how far the shorter of two vectors reaches out of the line of the longer one."""
    top = max(abs(x), abs(y), abs(z), abs(u), abs(v), abs(w))
    shift = 0
    while top > 16383:
        top >>= 1
        shift += 1
    x >>= shift
    y >>= shift
    z >>= shift
    u >>= shift
    v >>= shift
    w >>= shift
    # Each product is below 2^28, their difference below 2^29.
    area = length(y * w - z * v, z * u - x * w, x * v - y * u)
    longer = max(length(x, y, z), length(u, v, w))
    return area // longer << shift if longer else 0


def ln64(n):
    """Return 64 times the natural logarithm of `n`, right to 1 or 2; of 0 and below, that of 1."""
    twos = 0
    while n >= 32:
        n >>= 1
        twos += 1
    if n < 16:
        return _LN_SMALL[max(n, 1)]
    return (twos + 4) * 1420 // 32 + _LN[n - 16]


def isqrt(n):
    """Return the whole square root, 0 for a negative number."""
    if n <= 0:
        return 0
    root = 1
    while root * root <= n and root < 32768:
        root <<= 1
    while True:
        nearer = (root + n // root) >> 1
        if nearer >= root:
            return root
        root = nearer
