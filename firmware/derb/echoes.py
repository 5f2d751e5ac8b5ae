"""Pings of one reading: how far each went, and which of them came from one surface. Integers only, no hardware."""

from micropython import const

AIR_LOW_C100, AIR_HIGH_C100 = const(-4000), const(8000)

# One surface: 3 mm + 0.3 % of noise (data sheets of the HC-SR04 and of Dragino's LDDS75), and lumps of 2 to 6 cm, of
# which the nearest answers, or now one and now another.
WINDOW_MM = const(60)
_WIDE_MM = const(200)
GAP_MM = const(100)
APART_MM = const(150)  # nearer to each other, two groups may be facets of one heap
LEAST = const(3)  # two echoes agree by chance, three hardly


def sound_mm_s(temp_c100):
    """Return the speed of sound in dry air in mm/s, T in 1/100 degree Celsius, limited to -40..80.

    331.3 sqrt(1 + T / 273.15) m/s (ideal gas) to its second order: within 0.04 % from -40 to 60 degrees.
    """
    t = max(AIR_LOW_C100, min(AIR_HIGH_C100, temp_c100))
    return 331300 + 6064 * t // 1000 - t * t // 18017


def distance_mm(echo_us, temp_c100):
    """Return half the way that sound goes in `echo_us` microseconds (0 to 200,000)."""
    # echo * speed would pass 2^30 on a 31-bit machine: halve first, then in two steps.
    speed = sound_mm_s(temp_c100)
    half = echo_us * 5  # tenths of a microsecond, one way
    return (half // 1000 * speed + half % 1000 * speed // 1000) // 10000


def twice(far_mm, near_mm):
    """Return whether an echo may have gone the way to `near_mm` twice: refuse, lid, refuse, sensor."""
    return abs(far_mm - 2 * near_mm) <= near_mm // 32 + 20


def groups(sorted_mm, least=LEAST):
    """Return (distance, echoes) of each stretch of sorted echoes that is one surface, nearest first.

    `least`: echoes that make one.
    """
    found = []
    first = 0
    for i in range(1, len(sorted_mm) + 1):
        if i == len(sorted_mm) or sorted_mm[i] - sorted_mm[i - 1] > GAP_MM:
            window = _surface(sorted_mm[first:i], len(sorted_mm))
            if len(window) >= least:
                found.append((_middle(window), len(window)))
            first = i
    return found


def _surface(stretch, echoes):
    window = densest(stretch, WINDOW_MM)
    if len(window) * 5 < len(stretch) * 3:
        wide = densest(stretch, _WIDE_MM)
        if (
            len(wide) * 3 >= len(stretch) * 2
            and len(wide) * 6 >= echoes * 5
            and len(window) * 5 < len(wide) * 3
        ):
            return wide  # rough refuse: most echoes are of it, and no one spot answers for them
    # Where no one spot answers for half of it, it is chance.
    return window if len(window) * 2 >= len(stretch) else []


def _middle(window):
    # Not quite the middle: refuse scatters both ways, but facets and detours answer later.
    inner = window[len(window) // 4 : (len(window) * 5 + 4) // 8]
    return sum(inner) // len(inner)


def between(echoes_mm, least_mm, most_mm=10000):
    """Return the echoes from there."""
    return [at for at in echoes_mm if least_mm <= at <= most_mm]


def densest(sorted_mm, width_mm):
    """Return the most echoes that lie within `width_mm`."""
    best_first = best_end = start = 0
    for i in range(len(sorted_mm)):
        while sorted_mm[i] - sorted_mm[start] > width_mm:
            start += 1
        if i + 1 - start > best_end - best_first:
            best_first, best_end = start, i + 1
    return sorted_mm[best_first:best_end]
