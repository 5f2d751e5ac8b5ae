"""What happens around a simulated node, by the second: cars over a bay, refuse in a bin, a link that breaks. Seeded."""

import random

DAY_S = 86400
EARTH = (29000, -300, 30000)
CAR = (9000, -4000, 12000)
PASSING = (-4000, 5000, 3000)
MANOEUVRE_S = 10
PASSES_S = 5
OPENS_S, OPEN_S = 25200, 57600  # cars come from 07:00 to 23:00
NOISE_NT = 200
US_A_MM = 2 * 1000000 // 343420


class Bay:
    """`changes` a day, by turns a car that parks and one that leaves; `passers` a day only come near."""

    can_watch = True

    def __init__(self, days, changes, passers, seed):
        random.seed(seed)
        self._moves = []  # (from second, seconds, what it is before, what after)
        occupied = 0
        slot_s = OPEN_S // changes
        for day in range(days):
            for i in range(changes):
                at = day * DAY_S + OPENS_S + i * slot_s
                self._moves.append((at + random.randint(0, slot_s // 2), MANOEUVRE_S, occupied, 1 - occupied))
                occupied = 1 - occupied
                if i < passers:
                    at += slot_s * 3 // 4 + random.randint(0, slot_s // 8)
                    self._moves.append((at, PASSES_S, occupied, occupied))
        self._at = 0
        self.truth = []  # seconds at which a car began to park or to leave
        self.samples = 0
        self.watched = False

    def field(self, now_s):
        """What the sensor sees; seconds only go forward."""
        moves = self._moves
        while self._at + 1 < len(moves) and moves[self._at + 1][0] <= now_s:
            self._at += 1
        begin, length, before, after = moves[self._at]
        into = now_s - begin
        if into < 0:
            share, near = 0, 0
        elif into >= length:
            share, near = after * MANOEUVRE_S, 0
        else:
            share = (before * (length - into) + after * into) * MANOEUVRE_S // length
            near = min(into, length - into)
        return [
            EARTH[i] + CAR[i] * share // MANOEUVRE_S + PASSING[i] * near + random.randint(-NOISE_NT, NOISE_NT)
            for i in range(3)
        ]

    def next_move_s(self, after_s):
        """When the field moves next."""
        moves, at = self._moves, self._at
        while at < len(moves) and moves[at][0] <= after_s:
            at += 1
        return moves[at][0] + 1 if at < len(moves) else None

    # As a magnetometer's driver.

    def __call__(self):
        return self

    def start(self):
        return False

    def read(self, deadline):
        self.samples += 1
        x, y, z = self.field(self.now_s())
        return x, y, z, 2000

    def watch(self, x, y, z, threshold_nt, deadline):
        self.watched = True
        return True

    def stop(self):
        pass


class Bin:
    """A bin of 1.5 m that fills in `full_days` and is emptied when it is full; as a ranger's driver."""

    def __init__(self, full_days, seed):
        random.seed(seed)
        self._period_s = full_days * DAY_S
        self.asked = 0

    def pings(self, count):
        self.asked += count
        into = self.now_s() % self._period_s
        mm = 1400 - 1100 * into // self._period_s
        return [(mm + random.randint(-3, 3)) * 5824 // 1000 for _ in range(count)]

    @staticmethod
    def temp_c100():
        return 2000


class Outages:
    """(from second, to second) in which the link is broken."""

    def __init__(self, spans):
        self._spans = spans

    def broken(self, now_s):
        """Whether nothing comes through now."""
        return any(begin <= now_s < end for begin, end in self._spans)
