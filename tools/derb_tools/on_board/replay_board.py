"""The board's side of `derb replay`: samples in on stdin, what the firmware makes of them out on stdout.

Parking in:  `T_MS STEP_MS X_NT Y_NT Z_NT TEMP_C100 [RSSI_DBM]`, or `cold`, or `warm`
Parking out: `T_MS STATE CONFIDENCE` after the first sample and after each that changed the state
Level in:    `T_MS ELAPSED_S TEMP_C100 ECHO_US...`
Level out:   `T_MS STATUS DISTANCE_MM LEVEL_PCT_X10 COLLECTED`, `-` for None, 0 or 1, a line a reading
At the end:  `end SAMPLES`, the proof that all were taken
"""

import sys


class _Flash:
    """What of a node outlives a loss of power."""

    def __init__(self):
        self._blob = b""

    def get_blob(self, name, record):
        record[: len(self._blob)] = self._blob
        return len(self._blob)

    def set_blob(self, name, value):
        self._blob = value

    def commit(self):
        pass


def parking():
    from derb.keepsake import Keepsake
    from derb.parking import Parking

    detector = Parking()
    keepsake = Keepsake(_Flash())
    told = None
    samples = 0
    while True:
        line = sys.stdin.readline()
        if not line:
            break
        if line == "cold\n":
            # As on a node: RTC memory is gone, flash is not.
            detector = Parking(keepsake.recall(), lost_power=True)
            continue
        if line == "warm\n":
            detector = Parking(saved=detector.dumps())
            continue
        # The time passes through as text: only the step is a number for the board.
        t_ms, rest = line.split(" ", 1)
        detector.step(*[int(number) for number in rest.split()])
        samples += 1
        keepsake.offer(max(0, int(t_ms)) // 1000, detector)
        if detector.state != told:
            told = detector.state
            print(t_ms, told, detector.confidence)
    print("end", samples)


def level(empty_mm, full_mm, points):
    from derb.fill_events import FillEvents
    from derb.fill_shape import Table
    from derb.level import Level

    sensor = Level(empty_mm, full_mm, fill_x10=Table(points) if points else None)
    events = FillEvents()
    samples = 0
    while True:
        line = sys.stdin.readline()
        if not line:
            break
        t_ms, rest = line.split(" ", 1)
        numbers = [int(number) for number in rest.split()]
        elapsed_s, temp_c100, *echoes_us = numbers
        status, distance_mm, level_pct_x10 = sensor.measure(echoes_us, temp_c100, elapsed_s=elapsed_s)
        events.step(status, level_pct_x10, elapsed_s=elapsed_s)
        samples += 1
        print(t_ms, status, text(distance_mm), text(level_pct_x10), int(events.collected))
    print("end", samples)


def text(number):
    return "-" if number is None else str(number)
