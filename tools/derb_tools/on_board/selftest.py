# The self-test's steps on the node, each a function that returns figures; what they mean is judged on the laptop.
import time

import esp32
import machine
from derb import VERSION, frame
from derb import config as configuration
from derb.deadline import Deadline
from derb.drivers import SensorError, attach, own_test
from derb.node import Node, blob

PROMPT_MS = 1800000  # as derb.door gives a technician
nvs = esp32.NVS("derb")


def more_time():
    machine.WDT(timeout=PROMPT_MS)


def provisioned():
    return configuration.parse(blob(nvs, "cfg", 2048))


def in_force():
    from derb.remote import Remote

    return Remote(nvs, provisioned()).config


def identity():
    more_time()
    found = {"node": machine.unique_id().hex(), "version": VERSION, "reset_cause": machine.reset_cause()}
    try:
        found["key"] = len(blob(nvs, "key", 64)) == frame.KEY_SIZE
    except OSError:
        found["key"] = False
    try:
        config = in_force()
    except OSError:
        found["problem"] = "it has no configuration"
    except configuration.ConfigError as e:
        found["problem"] = str(e)
    else:
        for name in (
            "board",
            "kind",
            "link",
            "broker",
            "ranger",
            "empty_mm",
            "full_mm",
            "batt_low_mv",
            "tilt",
        ):
            found[name] = getattr(config, name)
    return found


def chips():
    config = in_force()
    found = []
    if config.kind == "parking":
        found.append(_asked("magnetometer", lambda: attach.magnetometer(config)))
    else:
        found.append(_asked(config.ranger, lambda: _first_ping(config)))
        if config.tilt:
            found.append(_asked("accelerometer", lambda: attach.accelerometer(config)))
    return found


def _asked(part, find):
    try:
        chip = find()
    except (SensorError, OSError) as e:
        return {"part": part, "found": False, "says": str(e)}
    return {"part": part, "found": True, "name": type(chip).__name__, "self_test": _self_test(chip)}


def _self_test(chip):
    # "" for passed, None where the chip has none.
    try:
        return "" if own_test.run(chip) else None
    except SensorError as e:
        return str(e)


def _first_ping(config):
    ranger = attach.ranger(config)
    if all(echo_us == -1 for echo_us in ranger.pings(3)):
        raise OSError("no ping began an echo")
    return ranger


def field(samples):
    chip = attach.magnetometer(in_force())
    chip.start()
    seen = []
    for _ in range(samples):
        x, y, z, temp_c100 = chip.read(Deadline(3000))
        seen.append((x, y, z))
    chip.stop()
    return {"field_nt": seen, "temp_c100": temp_c100}


def echoes():
    config = in_force()
    ranger = attach.ranger(config)
    echoes_us = ranger.pings(config.pings) + ranger.pings(config.pings)
    temp_c100 = attach.thermometer(config)()
    attach.release(config)
    return {"echoes_us": echoes_us, "temp_c100": temp_c100}


def battery():
    from derb.drivers.battery import millivolts

    return millivolts(in_force())


def wake():
    # The wake of derb.wake, from the prompt: the same node, sensing, link and receipts, only that it must speak.
    from derb.crumbs import Crumbs
    from derb.memory import Memory
    from derb.storage import Storage

    memory = Memory(machine.RTC())
    crumbs = Crumbs(memory)
    said, phases = [], []
    enter = crumbs.enter

    def entered(phase):
        phases.append(phase)
        enter(phase)

    crumbs.enter = entered
    try:
        node = Node(memory, crumbs, Storage(True), nvs)
        node.log = lambda *words: said.append(" ".join([str(word) for word in words]))
        node.must_speak = True
        began_ms = time.ticks_ms()
        sleep_ms = node.wake()
    finally:
        more_time()
        crumbs.leave()
    kept = node.kept
    return {
        "awake_ms": time.ticks_diff(time.ticks_ms(), began_ms),
        "sleep_ms": sleep_ms,
        "delivered": kept.failures == 0,
        "rssi_dbm": kept.rssi_dbm,
        "phases": phases,
        "gated": node.battery_mv is not None and node.battery_mv < node.config.radio_min_mv,
        "connect_ms": kept.vitals.connect_ms,
        "exchange_ms": kept.vitals.exchange_ms,
        "sensor_fault": node.fault or 0,
        "waiting": len(node.outbox),
        "said": said[-12:],
    }
