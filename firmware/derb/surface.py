"""Which of a reading's echoes are the refuse: walls answer nearer, double ways farther. Integers only, no hardware."""

from micropython import const

from derb.echoes import APART_MM, GAP_MM, LEAST, WINDOW_MM, between, densest, groups, twice

# Two echoes nearer to each other than this have no room for two surfaces between them, nor a surface for two places.
_NEXT_MM = const(30)


def surface(near, good, far, fixed, last_mm, least=LEAST):
    """Return (mm, count) of the refuse; it is not found if the count is 0.

    `near`, `good`, `far`: sorted echoes in mm from inside the blind zone, from the container and from beyond its floor;
    `fixed`: the known walls; `last_mm`: where the refuse was before, 0 if not known; `least`: echoes that make a surface.
    """
    returned = len(near) + len(good) + len(far)
    loose = _loose(good, fixed)
    mm, count = _chosen(groups(loose, least), loose, returned, last_mm)
    if not count and len(loose) < len(good):
        # Beside a wall that outshouts it, two echoes are enough of a surface that stays where it was.
        mm, count = _continued(loose, last_mm)
        if not count and len(between(loose, last_mm - WINDOW_MM, last_mm + WINDOW_MM)) > 1:
            return 0, 0  # two that do not agree say neither that it is there nor that it is gone
    if not count or count * 5 < returned and not continues(mm, last_mm):
        mm, count = _chosen(groups(good, least), good, returned, last_mm)
    # Refuse in the blind zone is heard at twice its distance too.
    if len(near) >= LEAST and len(near) >= count and twice(mm, near[len(near) // 2]):
        count = 0
    scattered = _stray(good + far, mm, fixed) if count else 0
    if scattered >= count or 2 * scattered >= count and not continues(mm, last_mm):
        count = 0  # of echoes from anywhere some agree by chance
    return mm, count


def folded(good, far, fixed, last_mm):
    """Return `good` and `far` with what went the way to the surface twice halved, if it answers from where it was too."""
    loose = good if fixed.has(last_mm) else _loose(good, fixed)
    here = between(loose, last_mm - GAP_MM, last_mm + GAP_MM)
    once = 0
    rest = good + far if here else ()
    for i in range(len(rest)):
        if twice(rest[i], here[len(here) // 2]):
            rest[i] //= 2
            once += 1
    if not 0 < once <= 2 * len(here):
        return good, far  # so many more are a surface of their own
    rest.sort()
    return between(rest, 0, good[-1]), between(rest, good[-1] + 1)


def continues(mm, last_mm):
    """Return whether a surface at `mm` may be the one that was at `last_mm`."""
    return abs(mm - last_mm) <= GAP_MM


def beyond(sorted_mm, mm):
    """Return what answers from farther than a surface at `mm`, its double way apart."""
    return [at for at in sorted_mm if at - mm > APART_MM and not twice(at, mm)]


def agree(sorted_mm):
    """Return how many of these echoes came from one place; 0 if most of them did not: so do detours and noise."""
    count = len(densest(sorted_mm, WINDOW_MM))
    return count if count > 1 and count * 2 > len(sorted_mm) else 0


def _loose(good, fixed):
    loose = []
    wall_mm = 0
    for at in good:
        if fixed.has(at) or wall_mm and at - wall_mm <= _NEXT_MM:
            wall_mm = at  # the wall, or its ragged end
        else:
            wall_mm = 0
            loose.append(at)
    return loose


def _stray(echoes_mm, mm, fixed):
    """Return how many echoes are neither of the surface at `mm` and its facets, once or twice, nor of another place."""
    rest = []
    for at in echoes_mm:
        if not -WINDOW_MM <= at - mm <= 2 * WINDOW_MM and not twice(at, mm) and not fixed.has(at):
            rest.append(at)
    return len(rest) - agree(rest)


def _continued(loose, last_mm):
    same = between(loose, last_mm - _NEXT_MM, last_mm + _NEXT_MM)
    return (sum(same) // len(same), len(same)) if len(same) > 1 else (0, 0)


def _chosen(found, echoes_mm, returned, last_mm):
    if not found:
        return 0, 0
    main = found[0]
    for group in found:
        if group[1] >= main[1]:
            main = group
    back = found[-1]
    if back[0] - main[0] <= APART_MM or back[1] * 5 < returned:
        return main
    # Sound has passed what answers most: a wall or a hinge, unless the farther echo went its way twice, or is one of the
    # detours past it, which end anywhere.
    if not continues(back[0], last_mm) and (
        twice(back[0], main[0]) or agree(beyond(echoes_mm, main[0])) < LEAST
    ):
        return main
    return back
