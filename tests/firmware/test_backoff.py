"""Five hundred nodes that lost the same broker at the same moment do not come back together."""

from derb.backoff import backoff_s

NODES = 500
MOST_S = 21600


def _chances():
    state = 12345
    while True:
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        yield state >> 15


def _first_attempts_after(outage_s, chances):
    found = []
    for _ in range(NODES):
        now, failures = 0, 0
        while now < outage_s:
            failures += 1
            now += backoff_s(failures, MOST_S, next(chances))
        found.append(now - outage_s)
    return found


def test_it_doubles_within_its_bounds():
    for failures in range(1, 256):
        longest = min(MOST_S, 60 << min(failures - 1, 12))
        assert backoff_s(failures, MOST_S, 0) == longest // 2
        assert backoff_s(failures, MOST_S, 65535) <= longest


def test_after_an_outage_no_ten_seconds_see_more_than_a_twentieth_of_them():
    chances = _chances()
    for outage_s in (1800, 3600, 8 * 3600, 72 * 3600):
        tens = {}
        for at in _first_attempts_after(outage_s, chances):
            tens[at // 10] = tens.get(at // 10, 0) + 1
        assert max(tens.values()) <= NODES // 20, (outage_s, max(tens.values()))
