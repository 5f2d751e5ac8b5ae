"""Walls and hinges: echoes that come back from one place however full the container is. Integers only, no hardware."""

from micropython import const

_SAME_MM = const(30)  # noise, and 10 K of temperature at half a metre
# Weight of a place: per reading that saw it, when it is believed (three in a row), at most. Not per echo: one reading that
# took a detour for the refuse would make the refuse itself a wall.
_SEEN, _KNOWN, _MOST = const(4), const(12), const(32)

LAYOUT = "HBHB"
FRESH = (0, 0, 0, 0)


class FixedEchoes:
    """The two strongest fixed places; `slots`: distance and weight of each."""

    def __init__(self, slots=FRESH):
        self.slots = list(slots)

    def has(self, mm):
        """Return whether a known fixed place is at `mm`."""
        a, a_weight, b, b_weight = self.slots
        return (
            a_weight >= _KNOWN and abs(mm - a) <= _SAME_MM or b_weight >= _KNOWN and abs(mm - b) <= _SAME_MM
        )

    def learn(self, nearer_mm):
        """Take the echoes that came from nearer than the refuse of a nearly empty container: refuse does not float."""
        for slot in (0, 2):
            at, weight = self.slots[slot : slot + 2]
            seen = [mm for mm in nearer_mm if not weight or abs(mm - at) <= _SAME_MM]
            if seen:
                at = (3 * at + seen[0]) // 4 if weight else seen[0]
                weight = min(_MOST, weight + _SEEN)
                nearer_mm = [mm for mm in nearer_mm if abs(mm - at) > _SAME_MM]
            elif weight:
                weight -= 1
            self.slots[slot : slot + 2] = [at, weight]
