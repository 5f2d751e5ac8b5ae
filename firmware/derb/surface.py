"""Which of a reading's echoes are the refuse: walls answer nearer, double ways farther. Integers only, no hardware."""

from derb.echoes import APART_MM, GAP_MM, LEAST, WINDOW_MM, groups, twice


def surface(near, good, returned, fixed, last_mm):
    """Return (mm, count) of the refuse, or (0, 0).

    `near`, `good`: sorted echoes in mm from inside the blind zone and from the container; `returned`: all that came back;
    `fixed`: the known walls; `last_mm`: where the refuse was before, 0 if not known.
    """
    loose = [at for at in good if not fixed.has(at)]
    mm, count = _chosen(groups(loose), returned, last_mm)
    if not count and len(loose) < len(good):
        # Beside a wall that outshouts it, two echoes are enough of a surface that was there before.
        mm, count = _continued(loose, last_mm)
    if not count or count * 5 < returned and not continues(mm, last_mm):
        mm, count = _chosen(groups(good), returned, last_mm)
    # Refuse in the blind zone is heard at twice its distance too.
    if len(near) >= LEAST and len(near) >= count and twice(mm, near[len(near) // 2]):
        return 0, 0
    return mm, count


def continues(mm, last_mm):
    """Return whether a surface at `mm` may be the one that was at `last_mm`."""
    return abs(mm - last_mm) <= GAP_MM


def _continued(loose, last_mm):
    same = [at for at in loose if abs(at - last_mm) <= WINDOW_MM]
    return (sum(same) // len(same), len(same)) if len(same) > 1 else (0, 0)


def _chosen(found, returned, last_mm):
    if not found:
        return 0, 0
    main = max(found, key=lambda group: (group[1], group[0]))
    for group in found:
        if continues(group[0], last_mm) and twice(main[0], group[0]):
            return group
    back = found[-1]
    if back[0] - main[0] <= APART_MM or back[1] * 5 < returned:
        return main
    # Sound has passed what answers most: a wall or a hinge, unless the farther echo went its way twice.
    return main if twice(back[0], main[0]) and not continues(back[0], last_mm) else back
