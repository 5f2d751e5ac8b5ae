"""How likely a step of the field is, if this or that made it: log densities in 1/64 nats per cubic nanotesla.

Where the figures come from: standing fields, peaks and neighbours of the classes of vehicles as in docs/sensing.md, from dipole
models that were fitted to 67 real arrivals. Only ratios of densities matter.
"""

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


from derb.field_math import ln64

NEVER = const(-100000)
_LN_2PI_3_2 = const(176)
_LN_SPHERE = const(221)  # ln(4 pi sqrt(2 pi))

# Standing fields of vehicles: median 13 uT; spread squared times 128. Their greatest field while they move is larger.
_OWN = const(606)
_OWN_SPREAD = const(141)
_OWN_PEAK_NT = const(10000)
_OWN_PEAK_SPREAD = const(39)
_OWN_PEAK_MOST = const(320)
# The same of those whose iron is high, or little: 1.8 uT, one in 25.
_WEAK_SHARE = const(205)
_WEAK = const(480)
_WEAK_SPREAD = const(82)
_WEAK_PEAK_NT = const(2000)
_WEAK_PEAK_SPREAD = const(82)
_LEAST_NT = const(200)
# One in 20 of those whose iron is high stands with less; none of the 67 with less than twice that.
_FAINT_NT = const(800)


def ln_spread(far_nt, sigma_nt):
    """Return the density of a step so far from what was foretold, normal in three dimensions."""
    r = min((far_nt << 3) // sigma_nt, 1000)
    return -(r * r >> 1) - 3 * ln64(sigma_nt) - _LN_2PI_3_2


def ln_match(far_nt, sigma_nt):
    """The same with room for what else may have happened at the same time."""
    return max(
        ln_spread(far_nt, sigma_nt) - 18,
        ln_spread(far_nt, 3 * sigma_nt) - 103,
        ln_spread(far_nt, 9 * sigma_nt) - 240,
    )


def ln_own(step_nt, peak_nt, seen, step=_OWN, peak=0):
    """Return the density of a vehicle's own step with such a peak; `seen`: a greater one would have been noticed.

    `step`: the median of vehicles' steps, 64 ln; `peak`: by how much their peaks are above those foretold.
    """
    s = ln64(max(step_nt, _LEAST_NT))
    strong = -(s - step) * (s - step) // _OWN_SPREAD + ln_own_peak(step_nt, peak_nt, seen, peak)
    off = s - _WEAK
    weak = 18 - _WEAK_SHARE - off * off // _WEAK_SPREAD + ln_weak_peak(step_nt, peak_nt, seen)
    return max(strong, weak) - 3 * s - _LN_SPHERE + ln_stands(step_nt)


def ln_peak(stands_nt):
    """Return the greatest field, 64 ln, of a vehicle that stands with such a one."""
    return ln64(_OWN_PEAK_NT + stands_nt * 9 // 10)


def ln_own_peak(stands_nt, peak_nt, seen, offset=0):
    """Return how well a peak suits a vehicle that stands with such a field."""
    off = ln64(peak_nt) - ln_peak(stands_nt) - offset
    if off < 0 and not seen:
        return 0
    return max(-off * off // _OWN_PEAK_SPREAD, -_OWN_PEAK_MOST)


def ln_weak_peak(stands_nt, peak_nt, seen):
    """The same for one whose iron is high, or little."""
    off = ln64(peak_nt) - ln64(_WEAK_PEAK_NT + stands_nt * 6 // 5)
    return -(off * off // _WEAK_PEAK_SPREAD + 24) if seen or off > 0 else 0


def ln_stands(stands_nt):
    """Return by how much less likely than a log-normal has it a vehicle is to stand with so little: 0, or below it."""
    return -(max(0, _FAINT_NT - stands_nt) >> 1)
