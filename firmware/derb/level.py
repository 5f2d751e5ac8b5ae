"""Fill level from ultrasonic echoes: pings in, a distance or a reason why there is none out. Integers only, no hardware.

The rule above all: what is not a good echo is never turned into a distance. An unplugged sensor is `no_echo`, not an
empty container.
"""

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


NO_START = const(-1)
NO_END = const(-2)

OK = "ok"
TOO_CLOSE = "too_close"
TOO_FAR = "too_far"
NO_ECHO = "no_echo"
UNSTABLE = "unstable"

# Blind zone and reach of the JSN-SR04T and the HC-SR04 together.
MIN_MM = const(200)
MAX_MM = const(5000)
_LEAST_GOOD = const(3)  # never speak from fewer good pings
_CLUSTER_MM = const(60)  # echoes of one surface: 3 mm + 0.3 % of noise, and lumps of 2 to 6 cm


def sound_mm_s(temp_c100):
    """Return the speed of sound in air in mm/s: 331.3 + 0.606 T m/s, T in 1/100 degree Celsius, limited to -40..85."""
    return 331300 + 606 * max(-4000, min(8500, temp_c100)) // 100


def distance_mm(echo_us, temp_c100):
    """Return half the way that sound goes in `echo_us` microseconds."""
    # echo * speed would pass 2^30 on a 31-bit machine: halve first, then in two steps.
    speed = sound_mm_s(temp_c100)
    half = echo_us * 5  # tenths of a microsecond, one way
    return (half // 1000 * speed + half % 1000 * speed // 1000) // 10000


class Level:
    """Readings of one container whose floor is `empty_mm` and whose brim is `full_mm` away from the sensor."""

    def __init__(self, empty_mm, full_mm):
        if not 0 <= full_mm < empty_mm:
            raise ValueError("full_mm must be less than empty_mm")
        self._empty_mm = empty_mm
        self._full_mm = full_mm

    def measure(self, echoes_us, temp_c100):
        """Return (status, distance_mm, level in 1/10 %) of one reading's pings; the last two are None unless status is `ok`."""
        near = far = started = 0
        good = []
        for echo_us in echoes_us:
            if echo_us == NO_START:
                continue
            started += 1
            mm = distance_mm(echo_us, temp_c100) if echo_us >= 0 else MAX_MM + 1
            if mm < MIN_MM:
                near += 1
            elif mm > MAX_MM:
                far += 1
            else:
                good.append(mm)
        if len(good) < max(_LEAST_GOOD, len(echoes_us) // 4):
            return _reason(near, far, started, len(good)), None, None
        cluster = _surface(sorted(good))
        if len(cluster) * 2 < len(good) or len(cluster) < _LEAST_GOOD:
            return UNSTABLE, None, None
        mm = cluster[len(cluster) // 2]
        # Well below the floor there is nothing that could echo: the sensor has moved or the echo took a second way.
        if mm > self._empty_mm + self._empty_mm // 8:
            return TOO_FAR, None, None
        return OK, mm, self.level_x10(mm)

    def level_x10(self, mm):
        """Return the fill level in 1/10 % for a surface at `mm`, 0 to 1000."""
        depth = self._empty_mm - self._full_mm
        return max(0, min(1000, ((self._empty_mm - mm) * 1000 + depth // 2) // depth))


def _reason(near, far, started, good):
    if not started:
        return NO_ECHO
    if near > far and near >= good:
        return TOO_CLOSE
    return TOO_FAR if far >= good else UNSTABLE


def _surface(good):
    # The best supported stretch of one cluster's width; of equal ones the farther, since walls and hinges are nearer than refuse.
    best_start = best_count = start = 0
    for end in range(len(good)):
        while good[end] - good[start] > _CLUSTER_MM:
            start += 1
        if end - start + 1 >= best_count:
            best_start, best_count = start, end - start + 1
    return good[best_start : best_start + best_count]
