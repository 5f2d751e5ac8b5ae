"""What may have happened: a few suppositions about a bay, each weighed by how well it foretold what came.

One wrong guess about a weak car would turn free and occupied around for hours if only the best guess were kept. So every episode
is read in all the ways it can be read - nothing of this bay, an arrival, a departure, another car at once, a car that moved a
little - and a supposition that keeps needing unlikely readings loses to one that does not. The strongest witness is that an empty
bay comes back to the field it had: a departure undoes what stands there.
"""

try:
    from micropython import const
except ImportError:  # CPython

    def const(value):
        return value


from derb.field_math import length, ln64

MOST = const(8)
STEPS = const(6)
FREE = const(1)
OCCUPIED = const(2)
LOST = const(3)  # occupied, and the empty field is not known

# All weights in 1/64 nats.
_FLOOR = const(-640)
_NEVER = const(-100000)
_LN_2PI_3_2 = const(176)
_LN_SPHERE = const(221)

# Standing fields and greatest fields of vehicles that drive in: medians nT, 64 ln; spreads squared times 128.
_OWN = const(606)  # 13 uT
_OWN_SPREAD = const(141)
_OWN_PEAK_SPREAD = const(39)
_OWN_PEAK_MOST = const(320)
# The same of vehicles whose iron is high, or little.
_WEAK_SHARE = const(205)  # 4 %
_WEAK = const(480)  # 1.8 uT
_WEAK_SPREAD = const(82)
_WEAK_PEAK_SPREAD = const(82)
# The greatest field of what is not of this bay.
_ELSE_PEAK = const(512)  # 3 uT
_ELSE_PEAK_SPREAD = const(24)
_ELSE_PEAK_MOST = const(400)

_ARRIVES = const(0)
_LEAVES = const(0)
_PACE_MS = const(3600000)
_OWN_PACE = const(3)
_SWAPS = const(256)
_SHIFTS_SOON = const(20)
_SHIFTS = const(270)
_SOON_MS = const(10000)
_UNDONE = const(130)
_UNDONE_SOON = const(50)
_AGAIN = const(170)
_BESIDES = const(0)
_AT_ONCE = const(160)
_STRAIGHT = const(224)
_SUDDEN = const(256)
_FIRST_LOST = const(-90)
_MERGE_NT = const(700)


def ln_spread(far_nt, sigma_nt):
    """Return the log density of a step so far from what was foretold, three dimensions."""
    r = min(far_nt * 8 // sigma_nt, 1000)
    return -(r * r >> 1) - 3 * ln64(sigma_nt) - _LN_2PI_3_2


def ln_match(far_nt, sigma_nt):
    """The same with room for what else may have happened at the same time."""
    return max(
        ln_spread(far_nt, sigma_nt) - 18,
        ln_spread(far_nt, 3 * sigma_nt) - 103,
        ln_spread(far_nt, 9 * sigma_nt) - 192,
    )


def ln_own(step_nt, peak_nt, seen):
    """Log density of a vehicle's own step and greatest field; a small one means nothing if it cannot have been seen."""
    s = ln64(max(step_nt, 200))
    off = s - _OWN
    strong = -off * off // _OWN_SPREAD + ln_own_peak(step_nt, peak_nt, seen)
    off = s - _WEAK
    weak = -off * off // _WEAK_SPREAD + 18 - _WEAK_SHARE
    weak += ln_weak_peak(step_nt, peak_nt, seen)
    return max(strong, weak) - 3 * s - _LN_SPHERE


def ln_weak_peak(step_nt, peak_nt, seen):
    off = ln64(peak_nt) - ln64(2000 + step_nt * 6 // 5)
    return -(off * off // _WEAK_PEAK_SPREAD + 24) if seen or off > 0 else 0


def ln_own_peak(step_nt, peak_nt, seen):
    off = ln64(peak_nt) - ln64(10000 + step_nt * 9 // 10)
    if off < 0 and not seen:
        return 0
    return max(-off * off // _OWN_PEAK_SPREAD, -_OWN_PEAK_MOST)


def ln_known(far_nt, sigma_nt):
    """The same for a step that was seen before."""
    return max(ln_spread(far_nt, sigma_nt) - 18, ln_spread(far_nt, 3 * sigma_nt) - 103)


class Suppositions:
    """At most MOST of them: `kind`, `weight` below the best's 0, and for OCCUPIED the way `at` from the present to the empty field."""

    def __init__(self):
        self.n = 2
        self.kind = [FREE, LOST] + [0] * (MOST - 2)
        self.weight = [0, _FIRST_LOST] + [0] * (MOST - 2)
        self.at = [0] * (3 * MOST)
        self.others = [0] * MOST  # bit k: step k was made by something else, which is still there
        self.fresh = [0] * MOST  # the last step was of the bay's own vehicle
        # The last steps of the field, nT.
        self.steps = [0] * (3 * STEPS)
        self.used = 0
        self.next = 0
        self.was_else = True
        self.age_ms = 0
        self.pace = 0
        self.bustle = 0
        self.else_peak = _ELSE_PEAK

    def settle(self, refined):
        """The resting field is known a little better: (x, y, z) nT belong to the last step."""
        x, y, z = refined
        for i in range(self.n):
            if self.fresh[i]:
                self.at[3 * i] -= x
                self.at[3 * i + 1] -= y
                self.at[3 * i + 2] -= z
        if self.used & (1 << (self.next - 1) % STEPS):
            k = 3 * ((self.next - 1) % STEPS)
            self.steps[k] += x
            self.steps[k + 1] += y
            self.steps[k + 2] += z

    def weigh(self, episodes, since_ms):
        """Read an episode in every way it can be read, and keep the likeliest suppositions."""
        x, y, z = episodes.step
        self.age_ms = min(self.age_ms + since_ms + episodes.lasted_ms, 1 << 24)
        unrest = episodes.unrest
        noise = episodes.noise
        step = length(x, y, z)
        sized = unrest.size(x, y, z)
        peak = max(1, episodes.peak - noise)
        else_peak_nt = max(1, episodes.sized_peak - noise)
        seen = episodes.moves >= 2 or episodes.sparse_ms <= 2500
        det = unrest.ln_det
        blur = 150 + noise // 2
        doubt = self._doubt(episodes, peak, step)
        passed_ms = since_ms + episodes.lasted_ms
        self.pace -= self.pace * min(passed_ms, _PACE_MS) // _PACE_MS
        rare = ln64(64 + self.pace * 64 // (_OWN_PACE << 8)) - 266
        doubt += rare
        if sized > 1000:
            self.pace += 256
        self.bustle -= self.bustle * min(passed_ms, _PACE_MS) // _PACE_MS
        off = max(0, ln64(else_peak_nt) - max(self.else_peak, ln64(sized) + 12))
        else_peak = -off * off // _ELSE_PEAK_SPREAD
        over = min(max(0, -else_peak - 600) // 2, 200)
        else_peak = max(else_peak, -_ELSE_PEAK_MOST)
        plain = max(
            ln_spread(sized, 200 + noise // 2) + det - 33,
            ln_spread(step, 600) - 103,
            ln_spread(step, 1300) - 225,
            ln_spread(step, 2600) - 370,
            ln_spread(step, 8000) - 416,
        ) + else_peak
        which, sums = self._undone(x, y, z, blur, else_peak)
        own = ln_own(step, peak, seen) - doubt
        slot = self.next if sized > 600 else -1
        out = []
        for i in range(self.n):
            w = self.weight[i]
            kind = self.kind[i]
            a, b, c = self.at[3 * i : 3 * i + 3]
            others = self.others[i]
            keep = others & ~(1 << slot) if slot >= 0 else others
            soon = self.fresh[i] and since_ms < _SOON_MS
            # Nothing of this bay.
            best, rest = plain, keep | (1 << slot if slot >= 0 else 0)
            for k in range(STEPS):
                if others >> k & 1 and which[k] > best:
                    best = which[k]
            for likely, bits in sums:
                if likely > best and others & bits == bits:
                    best = likely
            out.append((w + best - (_BESIDES if soon else 0) - (over if kind != FREE else 0), kind, a, b, c, rest, 0, 0))
            if kind == FREE:
                out.append((w + own - _ARRIVES, OCCUPIED, -x, -y, -z, keep, 1, 1))
            elif kind == LOST:
                out.append((w + own - _LEAVES, FREE, 0, 0, 0, keep, 0, 1))
            else:
                a, b, c = a - x, b - y, c - z
                stood = length(a + x, b + y, c + z)
                e = unrest.size(a, b, c)
                leaves = ln_match(e, blur + 50 + stood // 80) + det - doubt - _LEAVES
                leaves += max(ln_own_peak(stood, peak, seen), ln_weak_peak(stood, peak, seen) - 64)
                if soon:
                    leaves -= _AT_ONCE
                out.append((w + leaves, FREE, 0, 0, 0, keep, 0, 1))
                swap = ln_own(length(a, b, c), peak, seen) - doubt - _SWAPS
                moved = max(ln_spread(step, 400 + stood // 8), ln_spread(step, 1200 + stood // 2))
                moved -= 44 + (_SHIFTS_SOON if soon else _SHIFTS)
                if not soon:
                    moved += else_peak
                if length(a, b, c) < 700:
                    moved -= 128
                out.append((w + max(swap, moved), OCCUPIED, a, b, c, keep, 1, 1))
        self._choose(out)
        if self.was_else and (step > 2500 or episodes.moves >= 8):
            self.bustle += 256
        if self.was_else and seen:
            off = max(-32, min(32, ln64(else_peak_nt) - self.else_peak))
            self.else_peak = max(_ELSE_PEAK, min(_ELSE_PEAK + 120, self.else_peak + (off + 2) // 5))
        if slot >= 0:
            self.steps[3 * slot : 3 * slot + 3] = (x, y, z)
            self.used |= 1 << slot
            self.next = (slot + 1) % STEPS
            self.age_ms = 0

    def _doubt(self, episodes, peak, step):
        doubt = 0
        if episodes.sparse_ms <= 2500:
            if episodes.bend - 2 * episodes.noise < peak // 24:
                doubt += _STRAIGHT
            if episodes.moves <= 1 and episodes.lasted_ms < 5500 and step > 6000:
                doubt += _SUDDEN
        return doubt

    def _undone(self, x, y, z, blur, else_peak):
        which = [_NEVER] * STEPS
        sums = []
        last = (self.next - 1) % STEPS
        s = self.steps
        for k in range(STEPS):
            if self.used >> k & 1:
                a, b, c = s[3 * k], s[3 * k + 1], s[3 * k + 2]
                sigma = blur + 50 + length(a, b, c) // 40
                likely = _UNDONE_SOON if k == last and self.age_ms < 300000 else _UNDONE
                undone = ln_spread(length(x + a, y + b, z + c), sigma) - likely
                which[k] = max(undone, ln_spread(length(x - a, y - b, z - c), sigma) - _AGAIN) + else_peak
        # What came in several parts goes in one.
        a = b = c = 0
        bits = 0
        for j in range(4):
            k = (last - j) % STEPS
            if not self.used >> k & 1:
                break
            a, b, c = a + s[3 * k], b + s[3 * k + 1], c + s[3 * k + 2]
            bits |= 1 << k
            if j:
                sigma = blur + 50 * (j + 1) + length(a, b, c) // 40
                sums.append((ln_spread(length(x + a, y + b, z + c), sigma) - _UNDONE + else_peak, bits))
        return which, sums

    def _choose(self, out):
        out.sort(key=lambda r: -r[0])
        top = out[0][0]
        rival = _NEVER
        for r in out:
            if r[7]:
                rival = r[0]
                break
        self.was_else = not out[0][7] and out[0][0] - rival > 160
        kept = []
        for r in out:
            w = max(_FLOOR, r[0] - top)
            twin = None
            for j in range(len(kept)):
                q = kept[j]
                if q[1] == r[1] and (r[1] != OCCUPIED or length(q[2] - r[2], q[3] - r[3], q[4] - r[4]) < _MERGE_NT):
                    twin = j
                    break
            if twin is not None:
                q = kept[twin]
                gain = max(0, 44 - (q[0] - w) // 2)
                kept[twin] = (q[0] + gain,) + q[1:]
                continue
            if len(kept) < MOST:
                kept.append((w,) + r[1:])
        # Whatever was thought, it may all have been wrong.
        for kind in (FREE, LOST):
            if not any(q[1] == kind for q in kept):
                if len(kept) == MOST:
                    kept.pop()
                kept.append((_FLOOR, kind, 0, 0, 0, 0, 0, 0))
        kept.sort(key=lambda r: -r[0])
        top = kept[0][0]
        self.n = len(kept)
        for i in range(self.n):
            w, kind, a, b, c, others, fresh, _ = kept[i]
            self.weight[i] = w - top
            self.kind[i] = kind
            self.at[3 * i : 3 * i + 3] = (a, b, c)
            self.others[i] = others
            self.fresh[i] = fresh

    def lean(self, radio):
        """Return by how much, in 1/64 nats, occupied is likelier than free; `radio` speaks for occupied."""
        sums = [_NEVER, _NEVER]
        for i in range(self.n):
            k = 0 if self.kind[i] == FREE else 1
            w = self.weight[i]
            hi, lo = max(w, sums[k]), min(w, sums[k])
            sums[k] = hi + max(0, 44 - (hi - lo) // 2)
        return sums[1] - sums[0] + radio

