"""The board's side of `derb replay`: samples in on stdin, what the firmware makes of them out on stdout.

Parking in:  `T_MS STEP_MS X_NT Y_NT Z_NT TEMP_C100 [RSSI_DBM]`, or `cold`, or `warm`
Parking out: `T_MS STATE CONFIDENCE` after the first sample and after each that changed the state
Level in:    `T_MS TEMP_C100 ECHO_US...`
Level out:   `T_MS STATUS DISTANCE_MM LEVEL_PCT_X10`, `-` for None, a line a reading
At the end:  `end SAMPLES`, the proof that all were taken
"""

import sys


def parking():
    from derb.parking import Parking

    detector = Parking()
    told = None
    samples = 0
    while True:
        line = sys.stdin.readline()
        if not line:
            break
        if line == "cold\n":
            detector = Parking()
            continue
        if line == "warm\n":
            detector = Parking(saved=detector.dumps())
            continue
        # The time passes through as text: only the step is a number for the board.
        t_ms, rest = line.split(" ", 1)
        detector.step(*[int(number) for number in rest.split()])
        samples += 1
        if detector.state != told:
            told = detector.state
            print(t_ms, told, detector.confidence)
    print("end", samples)


def level(empty_mm, full_mm):
    from derb.level import Level

    sensor = Level(empty_mm, full_mm)
    samples = 0
    while True:
        line = sys.stdin.readline()
        if not line:
            break
        t_ms, rest = line.split(" ", 1)
        numbers = [int(number) for number in rest.split()]
        status, distance_mm, level_pct_x10 = sensor.measure(numbers[1:], numbers[0])
        samples += 1
        print(t_ms, status, text(distance_mm), text(level_pct_x10))
    print("end", samples)


def text(number):
    return "-" if number is None else str(number)
