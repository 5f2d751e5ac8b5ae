"""In which runs the outbox is sent, and how old its readings are."""


def batches(ring, index, open_segments, clock, power_boot):
    """Yield (boot, kind, readings, age_s, age_is_bound): runs that fit one frame's rules, oldest first.

    `ring` are the entries of RTC memory, `index` the segments on flash that `open_segments()` reads; boots from `power_boot` on
    share one time line. `readings` are (sequence, time, payload); `age_s(time)` gives an age. While the clock is not known,
    this boot's readings come first, since their receipt brings the time that the older ones need.
    """
    ages = _Ages(clock, power_boot)
    for segment in index:
        entries = [entry for entry in open_segments().read(segment) if not ages.wait(entry)]
        if segment is index[-1]:
            # One frame for what was written yesterday and what was read now, if they follow each other.
            entries, ring = entries + ring, []
        yield from _runs(entries, ages)
    yield from _runs(ring, ages)
    for segment in index:
        if segment.first[0] < power_boot:
            entries = open_segments().read(segment)
            yield from _runs([entry for entry in entries if ages.wait(entry)], ages)


def _runs(entries, ages):
    at = 0
    while at < len(entries):
        end = at + 1
        while end < len(entries) and _follows(entries[end - 1], entries[end]):
            end += 1
        boot, _, kind, _, is_unix, _ = entries[at]
        run = [(entry[1], entry[3], entry[5]) for entry in entries[at:end]]
        age_s, is_bound = ages.of(boot, is_unix, run[-1][1])
        yield boot, kind, run, age_s, is_bound
        at = end


def _follows(older, newer):
    return newer[0] == older[0] and newer[1] == older[1] + 1 and newer[2] == older[2] and newer[4] == older[4]


class _Ages:
    def __init__(self, clock, power_boot):
        self._clock = clock
        self._power_boot = power_boot

    def wait(self, entry):
        """Return whether it is from before the last loss of power and its age needs the time, which a newer receipt brings."""
        return entry[0] < self._power_boot and not self._clock.known

    def of(self, boot, is_unix, newest):
        """Return (what gives an age, whether that is only a lower bound)."""
        clock, now = self._clock, self._clock.now()
        if is_unix and clock.known and newest <= clock.to_unix(now):
            return lambda t: clock.to_unix(now) - t, False
        if boot >= self._power_boot and not is_unix:
            return lambda t: now - t, False
        # Made before power was lost, and no common clock: at least as old as this boot. Or by a clock that was set back since.
        least = now if boot < self._power_boot else 0
        return lambda t: least + newest - t, True
