"""What a place is like - how its field steps, swings and hurries without any car in the bay - and how an episode looks there."""

import struct

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


from derb.evidence import ln_match, ln_own, ln_own_peak, ln_spread, ln_stands, ln_weak_peak
from derb.field_math import length, ln64
from derb.habits import Habits
from derb.unrest import Unrest

# The greatest field of what is not of this bay, 64 ln: 3 uT at first, at most 20. Either it leaves nothing behind, or its step
# is nearly all of it.
_PEAK = const(512)
_PEAK_MOST = const(632)
_PEAK_SPREAD = const(24)
_PASS_SPREAD = const(56)
_PEAK_LEAST_LN = const(-400)
# Steps that are not of this bay: shares and spreads.
_NEAR = (600, 1300, 2600)
_SHARE = (103, 225, 370)
_RARE_NT = const(8000)
_RARE = const(600)
_RARE_STRAIGHT = const(300)
# How often something steps in an hour, and how often vehicles come and go.
_HOUR_MS = const(3600000)
_OWN_PACE = const(3)
_ONE = const(256)
_ONE_OWN = const(64)
_MOST_PACE = const(16000)
# How iron that rolls over the chip moves the field: about, and not in one go.
_MANNER = (-104, 4, 54, 100)
_BENT = const(70)
_STRAIGHT = const(-110)
_SUDDEN = const(110)
# No dipole that rolls past moves the field along a line to one part in 64; a magnet put down does.
_RULED_SHIFT = const(6)
_RULED = const(220)
_SUDDEN_MS = const(2500)
_SPARSE_MS = const(2500)
_SHOWN_MS = const(3750)  # samples farther apart show less of how the field moves, the less the farther
_STRONG_NT = const(2500)
_STEP_NT = const(1000)
_BUSTLE_NT = const(2500)
_WILD_MOVES = const(8)
# The field must stand still for so long, and longer in a place where it does so between two swings.
_SETTLE_MS = const(3000)
_SETTLE_MOST_MS = const(10000)
_CALM = const(768)
_SWAPS = const(256)
_SHIFTS_SOON = const(64)
_SHIFTS = const(219)
_VANISHES = const(200)
_GAP_MS = const(90000)
_GAP_BLUR_NT = const(700)
_GAP_DOUBT = const(64)
_SURE = const(100)
_OVER = const(600)
_OVER_MOST = const(200)
_FORM = "<hHHBB"
_UNREST_SIZE = const(24)
_OWN_SIZE = const(8)
_HABITS_SIZE = const(9)
SIZE = _OWN_SIZE + _UNREST_SIZE + _HABITS_SIZE


class Place:
    """Log densities (1/64 nats) of the episode last looked at: `ln_else`, made elsewhere; `ln_own`, by a vehicle of this bay.

    `ln_peak`: how its peak suits what happens elsewhere; `over`: how little it suits a bay in which something stands;
    `sized`: its step in units of the place's unrest; `settle_ms`: how long to wait for a field at rest.
    """

    def __init__(self):
        self.unrest = Unrest()
        self.habits = Habits()
        self._peak = _PEAK
        self._pace = 0
        self._bustle = 0
        self._wild = 0
        self._bent = False
        self.ln_else = self.ln_own = self.ln_peak = self.over = 0
        self.sized = self.step = self.peak = self.blur = 0
        self._doubt = 0
        self._seen = True

    @property
    def settle_ms(self):
        return _SETTLE_MS + min(_SETTLE_MOST_MS, max(0, self._bustle - _CALM) * 3)

    def pass_time(self, ms):
        ms = min(ms, _HOUR_MS) >> 6
        self._pace -= self._pace * ms // (_HOUR_MS >> 6)
        self._bustle -= self._bustle * ms // (_HOUR_MS >> 6)

    def look_at(self, episode):
        """Weigh an episode, whatever stands in the bay."""
        if episode.unseen_ms >= _GAP_MS and episode.moves < 2:
            self._look_across(episode)
            return
        x, y, z = episode.step
        noise = episode.noise
        self.step = step = length(x, y, z)
        self.sized = sized = self.unrest.size(x, y, z)
        self.peak = max(1, episode.peak - noise)
        self.blur = 150 + noise // 2
        gap_ms = episode.sparse_ms if episode.moves else max(episode.sparse_ms, episode.unseen_ms)
        dull = gap_ms > _SPARSE_MS
        self._seen = episode.moves >= 2 or not dull
        straight = self._judge_manner(episode) and not dull
        if gap_ms > _SHOWN_MS:
            self._doubt = self._doubt * _SHOWN_MS // gap_ms
        rare_own = ln64(64 + self._pace * 64 // (_OWN_PACE << 8)) - 266
        self._doubt += rare_own
        peak = max(1, episode.sized_peak - noise)
        off = max(0, ln64(peak) - max(self._peak, ln64(sized) + 12))
        ln_peak = -off * off // (_PASS_SPREAD if step < 600 + noise // 2 else _PEAK_SPREAD)
        self.over = min(max(0, -ln_peak - _OVER) >> 1, _OVER_MOST)
        self.ln_peak = max(ln_peak, _PEAK_LEAST_LN)
        likely = ln_spread(sized, 200 + noise // 2) + self.unrest.ln_det - 33
        for k in (0, 1, 2):
            likely = max(likely, ln_spread(step, _NEAR[k]) - _SHARE[k])
        rare = ln_spread(step, _RARE_NT) - (_RARE_STRAIGHT if straight else _RARE)
        self.ln_else = max(likely, rare) + self.ln_peak
        self.ln_else += self.habits.share(step)
        self.ln_own = self._suits(step) - self._doubt

    def _look_across(self, episode):
        # Nobody looked for a while: anything may have come, gone and drifted.
        x, y, z = episode.step
        self.step = step = length(x, y, z)
        self.sized = self.unrest.size(x, y, z)
        self.peak = max(1, episode.peak)
        self.blur = _GAP_BLUR_NT
        self._seen = False
        self._doubt = _GAP_DOUBT
        self.ln_peak = self.over = 0
        self.ln_else = max(ln_spread(step, 700) - 40, ln_spread(step, 2000) - 90, ln_spread(step, 6000) - 250)
        self.ln_own = self._suits(step) - self._doubt

    def _judge_manner(self, episode):
        # Returns whether it was quick and straight, as a magnet that is put down.
        straight = False
        bend = episode.bend - 2 * episode.noise
        manner = _MANNER[min(episode.moves, 3)]
        if bend > self.peak // 6:
            manner += _BENT
        elif bend < self.peak >> 4:
            manner = min(manner, 0) + _STRAIGHT
            straight = episode.moves <= 3
            if (episode.bend + episode.noise) << _RULED_SHIFT < self.peak:
                manner -= _RULED
        if manner > 0:
            manner = manner * (256 - self._wild) >> 8
            if self.peak * 5 > self.step * 11:
                manner >>= 1
        if episode.moves <= 1 and episode.lasted_ms - self.settle_ms < _SUDDEN_MS and self.step > 6000:
            manner -= _SUDDEN
        if manner < 0 and self.step > _STRONG_NT and not self._bent:
            # No vehicle has shown yet how vehicles move the field here.
            manner >>= 3
        self._doubt = -manner
        return straight

    def ln_leaves(self, x, y, z, stood_nt):
        """Return the density if what stood with so much left, and the field is now (x, y, z) off the empty one."""
        off = self.unrest.size(x, y, z)
        # How it moves was weighed already when it came.
        likely = ln_match(off, self.blur + 50 + stood_nt // 80) + self.unrest.ln_det - (self._doubt >> 1)
        return likely + self._ln_peak_of(stood_nt)

    def ln_like_before(self, ln_alike):
        """Return the density of a vehicle that comes as one before it did; `ln_alike`: that of such a step."""
        return ln_alike + self._ln_peak_of(self.step) + ln_stands(self.step)

    def _ln_peak_of(self, stands_nt):
        # How well the peak suits a vehicle that is known to stand with such a field.
        strong = ln_own_peak(stands_nt, self.peak, self._seen, self.habits.peak)
        return max(strong, ln_weak_peak(stands_nt, self.peak, self._seen) - 64)

    def _suits(self, stands_nt):
        habits = self.habits
        return ln_own(stands_nt, self.peak, self._seen, habits.step, habits.peak)

    def ln_changes(self, stood_nt, stands_nt, soon):
        """Return the density if another vehicle stands there now, or the same one moved; `soon` after it had come."""
        other = self._suits(stands_nt) - self._doubt - _SWAPS
        moved = max(ln_spread(self.step, 400 + (stood_nt >> 3)), ln_spread(self.step, 1200 + (stood_nt >> 1)))
        moved -= _SHIFTS_SOON if soon else _SHIFTS - self.ln_peak
        if 3 * stands_nt < stood_nt:
            moved -= _VANISHES
        return max(other, moved + ln_stands(stands_nt))

    def learn(self, episode, elsewhere):
        """Take to heart what an episode was; `elsewhere`: by how much it is likelier that no vehicle of this bay made it."""
        moves = episode.moves
        if episode.unseen_ms >= _GAP_MS and episode.moves < 2:
            return
        if abs(elsewhere) > _SURE:
            self.habits.learn(self.step, self.peak, elsewhere > 0)
        elsewhere = elsewhere > _SURE
        if self.sized > _STEP_NT:
            self._pace = min(self._pace + (_ONE if elsewhere else _ONE_OWN), _MOST_PACE)
        if not elsewhere:
            if self.step > 3000 and moves >= 2 and episode.bend > self.peak >> 2:
                self._bent = True
            return
        if self.step > _BUSTLE_NT or moves >= _WILD_MOVES:
            self._bustle = min(self._bustle + _ONE, _MOST_PACE)
        self._wild += ((255 if moves >= 3 else 0) - self._wild) // 12
        if self._seen:
            off = max(-32, min(32, ln64(max(1, episode.sized_peak - episode.noise)) - self._peak))
            self._peak = max(_PEAK, min(_PEAK_MOST, self._peak + (off + 2) // 5))
        x, y, z = episode.step
        self.unrest.learn(x, y, z, min(self._bustle >> 8, 99))

    def pack_into(self, record, offset):
        """Write SIZE bytes."""
        struct.pack_into(_FORM, record, offset, self._peak, self._pace, self._bustle, self._wild, self._bent)
        self.unrest.pack_into(record, offset + _OWN_SIZE)
        self.habits.pack_into(record, offset + _OWN_SIZE + _UNREST_SIZE)

    def unpack_from(self, record, offset):
        """The inverse of `pack_into`."""
        self._peak, self._pace, self._bustle, self._wild, bent = struct.unpack_from(_FORM, record, offset)
        self._bent = bool(bent)
        self.unrest.unpack_from(record, offset + _OWN_SIZE)
        self.habits.unpack_from(record, offset + _OWN_SIZE + _UNREST_SIZE)
