"""The angle between two accelerations in whole degrees, with integers only."""

from micropython import const

from derb.drivers import FAULT_NONSENSE, SensorError

_UNIT = const(16384)
# At rest an accelerometer feels 1,000 mg, give or take its errors; else it is being moved.
_LEAST_MG = const(700)
_MOST_MG = const(1300)

# sin((n + 1/2) degrees) in 1/16,384 for n = 0 to 44: how many of them a sine reaches is its angle, to the nearest degree.
_SINES = (
    143, 429, 715, 1000, 1285, 1570, 1855, 2139, 2422, 2704, 2986, 3266, 3546, 3825, 4102, 4378, 4653, 4927, 5199,
    5469, 5738, 6005, 6270, 6533, 6794, 7053, 7311, 7565, 7818, 8068, 8316, 8561, 8803, 9043, 9280, 9514, 9746, 9974,
    10199, 10422, 10641, 10856, 11069, 11278, 11484,
)  # fmt: skip


def at_rest(acceleration_mg):
    """Return whether the three axes, at most 2,048 each, add up to the acceleration of the Earth."""
    return _LEAST_MG <= _length_x8(acceleration_mg) // 8 <= _MOST_MG


def angle_deg(a_mg, b_mg):
    """Return 0 to 180; each axis at most 2,048. SensorError if one of them is not how the Earth pulls on a thing at rest."""
    if not at_rest(a_mg) or not at_rest(b_mg):
        raise SensorError(FAULT_NONSENSE, "this is not how the Earth pulls on a thing at rest")
    a, b = _unit(a_mg), _unit(b_mg)
    # Each product is at most 2^28, and so is their sum, as both lengths are 2^14.
    cosine = (a[0] * b[0] + a[1] * b[1] + a[2] * b[2]) >> 14
    sine = _sine(a, b)
    # From whichever of the two is smaller: there a degree is at least 200 steps.
    angle = _arcsine(sine) if sine <= abs(cosine) else 90 - _arcsine(abs(cosine))
    return angle if cosine >= 0 else 180 - angle


def _sine(a, b):
    x = (a[1] * b[2] - a[2] * b[1]) >> 14
    y = (a[2] * b[0] - a[0] * b[2]) >> 14
    z = (a[0] * b[1] - a[1] * b[0]) >> 14
    return isqrt(x * x + y * y + z * z)


def _arcsine(sine):
    angle = 0
    while angle < len(_SINES) and sine >= _SINES[angle]:
        angle += 1
    return angle


def _unit(a):
    # 2,048 * 2^17 = 2^28.
    length_x8 = _length_x8(a)
    return tuple(axis * 8 * _UNIT // length_x8 for axis in a)


def _length_x8(a):
    # 3 * 2,048^2 * 64 = 8.1e8, below 2^30.
    return isqrt((a[0] * a[0] + a[1] * a[1] + a[2] * a[2]) * 64)


def isqrt(n):
    """Return the whole part of the root of `n`, by Newton's method from above."""
    if n < 2:
        return n
    root = 1
    while root * root <= n and root < 32768:
        root *= 2
    while True:
        nearer = (root + n // root) // 2
        if nearer >= root:
            return root
        root = nearer
