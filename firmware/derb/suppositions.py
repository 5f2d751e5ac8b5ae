"""What may have happened: a few suppositions about a bay, each weighed by how well it foretold what came.

One wrong guess about a weak car would turn free and occupied around for hours if only the best guess were kept. So every episode
is read in all the ways it can be read - nothing of this bay, an arrival, a departure, one car for another, a car that moved a
little - and a supposition that keeps needing unlikely readings loses to one that does not. The strongest witness is that an empty
bay comes back to the field it had: a departure undoes what stands there.

Weights are log probabilities in 1/64 nats.
"""

import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


from derb.evidence import NEVER
from derb.field_math import length, ln64
from derb.place import SIZE as _PLACE_SIZE
from derb.place import Place
from derb.steps import SIZE as _STEPS_SIZE
from derb.steps import Steps

FREE = const(1)
OCCUPIED = const(2)
LOST = const(3)  # occupied, and the empty field is not known

_MOST = const(7)
_FLOOR = const(-800)
_SOON_MS = const(10000)
# A vehicle that has just come seldom leaves at once; one that stops in the queue beside the bay does.
_HASTE_MS = const(60000)
_HASTE = const(160)
_FIRST_LOST = const(-260)
# One bay in two is taken again within so long, one vehicle in two is gone; both have long tails: 1 / (1 + t / median) is left.
_GAP_S = const(1200)
_STAY_S = const(3600)
_LONGEST_S = const(65535)
_MERGE_NT = const(700)
_NEAR = const(100)
_SHIFT = const(4)  # kept in 16 nT
_FAR_NT = const(500000)
_FRESH = const(4)
_ONE = "<BhhhhB"
_ONE_SIZE = const(10)
_HEAD = "<BH"
_HEAD_SIZE = const(3)
SIZE = _HEAD_SIZE + _MOST * _ONE_SIZE + _STEPS_SIZE + _PLACE_SIZE


class Suppositions:
    """At most seven, the likeliest first: `kind`, `weight` below its 0, for OCCUPIED the way `at` to the empty field, nT."""

    def __init__(self):
        self.place = Place()
        self.steps = Steps()
        self._n = 2
        self._kind = [FREE, LOST] + [0] * (_MOST - 2)
        self._weight = [0, _FIRST_LOST] + [0] * (_MOST - 2)
        self._at = [0] * (3 * _MOST)
        self._others = [0] * _MOST  # bit k: not this bay's vehicle made step k
        self._fresh = [False] * _MOST  # this bay's vehicle made the last step
        self._held_s = 0  # since free or occupied became the likelier

    def refine(self, x, y, z):
        """The field since the last step turns out to lie (x, y, z) nT farther."""
        at = self._at
        for i in range(self._n):
            if self._fresh[i]:
                at[3 * i] -= x
                at[3 * i + 1] -= y
                at[3 * i + 2] -= z

    def lean(self):
        """Return by how much occupied is likelier than free."""
        free = taken = NEVER
        for i in range(self._n):
            if self._kind[i] == FREE:
                free = _ln_sum(free, self._weight[i])
            else:
                taken = _ln_sum(taken, self._weight[i])
        return taken - free

    def hear(self, occupied):
        """Another witness speaks for occupied, or against it."""
        for i in range(self._n):
            if self._kind[i] != FREE:
                self._weight[i] += occupied
        top = max(self._weight[: self._n])
        for i in range(self._n):
            self._weight[i] = max(_FLOOR, self._weight[i] - top)

    def weigh(self, episode, since_ms):
        """Read an episode, `since_ms` after the one before, in every way, and keep the likeliest suppositions."""
        place = self.place
        place.pass_time(since_ms + episode.lasted_ms)
        self.steps.pass_time(since_ms + episode.lasted_ms)
        taken = self.lean() > 0
        self._wait(since_ms + episode.lasted_ms)
        place.look_at(episode)
        self.steps.look_at(episode.step, place.blur, place.ln_peak)
        readings = []
        for i in range(self._n):
            self._read(readings, i, episode.step, since_ms)
        elsewhere = self._choose(readings)
        if place.sized > 600:
            self.steps.keep(episode.step)
        place.learn(episode, elsewhere)
        if (self.lean() > 0) != taken:
            self._held_s = 0

    def _wait(self, ms):
        # Bays stay free for less long than vehicles stay: the longer either has lasted, the likelier is it occupied.
        before = self._held_s
        self._held_s = now = min(before + ms // 1000, _LONGEST_S)
        free = ln64(_GAP_S + now) - ln64(_GAP_S + before)
        occupied = ln64(_STAY_S + now) - ln64(_STAY_S + before)
        for i in range(self._n):
            self._weight[i] -= free if self._kind[i] == FREE else occupied

    def _read(self, readings, i, step, since_ms):
        # (weight, kind, x, y, z, others, fresh, of this bay)
        place = self.place
        kind = self._kind[i]
        x, y, z = self._at[3 * i : 3 * i + 3]
        mark = self.steps.next_bit if place.sized > 600 else 0
        ours = self._others[i] & ~mark
        soon = self._fresh[i] and since_ms < _SOON_MS
        likely = max(place.ln_else, self.steps.ln_known(self._others[i]))
        if kind != FREE:
            likely -= place.over
        w = self._weight[i]
        readings.append((w + likely, kind, x, y, z, ours | mark, False, False))
        if kind == FREE:
            own = max(place.ln_own, place.ln_like_before(self.steps.ln_alike(self._others[i])))
            readings.append((w + own, OCCUPIED, -step[0], -step[1], -step[2], ours, True, True))
        elif kind == LOST:
            readings.append((w + place.ln_own, FREE, 0, 0, 0, ours, False, True))
        else:
            stood = length(x, y, z)
            x, y, z = x - step[0], y - step[1], z - step[2]
            likely = place.ln_leaves(x, y, z, stood)
            if self._fresh[i] and since_ms < 2 * _HASTE_MS:
                likely -= _HASTE if since_ms < _HASTE_MS else _HASTE >> 1
            readings.append((w + likely, FREE, 0, 0, 0, ours, False, True))
            likely = place.ln_changes(stood, length(x, y, z), soon)
            readings.append((w + likely, OCCUPIED, x, y, z, ours, True, True))

    def _choose(self, readings):
        # Returns by how much it is likelier that something elsewhere made the step than a vehicle of this bay.
        _sort(readings)
        top = readings[0][0]
        ours = readings[0][7]
        elsewhere = 0
        for reading in readings:
            if reading[7] != ours:
                elsewhere = reading[0] - top if ours else top - reading[0]
                break
        self._n = 0
        for reading in readings:
            if reading[0] - top < _FLOOR or self._n == _MOST:
                break
            if not self._join(reading, top):
                self._put(self._n, reading, reading[0] - top)
                self._n += 1
        # Whatever was thought, it may all have been wrong.
        for kind in (FREE, LOST):
            if kind not in self._kind[: self._n]:
                self._n = min(self._n, _MOST - 1) + 1
                self._put(self._n - 1, (0, kind, 0, 0, 0, 0, False), _FLOOR)
        top = max(self._weight[: self._n])
        for i in range(self._n):
            self._weight[i] -= top
        return elsewhere

    def _join(self, reading, top):
        at = self._at
        for i in range(self._n):
            if self._kind[i] == reading[1] and (
                reading[1] != OCCUPIED
                or length(at[3 * i] - reading[2], at[3 * i + 1] - reading[3], at[3 * i + 2] - reading[4])
                < _MERGE_NT
            ):
                if self._weight[i] - (reading[0] - top) < _NEAR:
                    self._others[i] |= reading[5]
                return True
        return False

    def _put(self, i, reading, weight):
        self._weight[i] = weight
        self._kind[i] = reading[1]
        for j in (0, 1, 2):
            value = max(-_FAR_NT, min(_FAR_NT, reading[2 + j]))
            self._at[3 * i + j] = value
        self._others[i] = reading[5]
        self._fresh[i] = reading[6]

    def pack_into(self, record, offset):
        """Write SIZE bytes."""
        struct.pack_into(_HEAD, record, offset, self._n, self._held_s)
        at = offset + _HEAD_SIZE
        for i in range(_MOST):
            x, y, z = self._at[3 * i : 3 * i + 3]
            kind = self._kind[i] | (_FRESH if self._fresh[i] else 0)
            struct.pack_into(
                _ONE, record, at, kind, max(-32000, self._weight[i]),
                x + 8 >> _SHIFT, y + 8 >> _SHIFT, z + 8 >> _SHIFT, self._others[i],
            )  # fmt: skip
            at += _ONE_SIZE
        self.steps.pack_into(record, at)
        self.place.pack_into(record, at + _STEPS_SIZE)

    def unpack_from(self, record, offset):
        """The inverse of `pack_into`, but that fields are kept in 16 nT."""
        n, self._held_s = struct.unpack_from(_HEAD, record, offset)
        self._n = min(max(n, 1), _MOST)
        at = offset + _HEAD_SIZE
        for i in range(_MOST):
            kind, self._weight[i], x, y, z, self._others[i] = struct.unpack_from(_ONE, record, at)
            self._kind[i] = kind & 3
            self._fresh[i] = kind >= _FRESH
            self._at[3 * i : 3 * i + 3] = (x << _SHIFT, y << _SHIFT, z << _SHIFT)
            at += _ONE_SIZE
        self.steps.unpack_from(record, at)
        self.place.unpack_from(record, at + _STEPS_SIZE)


def _sort(readings):
    # The likeliest first; equals keep their order, which the board's own sort does not promise.
    for i in range(1, len(readings)):
        reading = readings[i]
        j = i
        while j and readings[j - 1][0] < reading[0]:
            readings[j] = readings[j - 1]
            j -= 1
        readings[j] = reading


def _ln_sum(a, b):
    if a < b:
        a, b = b, a
    return a + max(0, 44 - (a - b >> 1))
