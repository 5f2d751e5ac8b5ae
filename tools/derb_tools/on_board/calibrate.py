# Calibration's steps on the node. What is measured is judged on the laptop; settings are written in one entry, old or new.
import json
import time

import esp32
import machine
from derb import config as configuration
from derb.deadline import Deadline
from derb.drivers import attach
from derb.node import Node, blob

PROMPT_MS = 1800000
nvs = esp32.NVS("derb")
state = {}


def settings():
    machine.WDT(timeout=PROMPT_MS)
    provisioned = configuration.parse(blob(nvs, "cfg", 2048))
    from derb.remote import Remote

    config = Remote(nvs, provisioned).config
    state["config"] = config
    found = {name: getattr(config, name) for name in ("kind", "ranger", "empty_mm", "full_mm", "pings")}
    found["node"] = machine.unique_id().hex()
    return found


def ranged():
    # One round of pings.
    config = state["config"]
    if "ranger" not in state:
        state["ranger"], state["air"] = attach.ranger(config), attach.thermometer(config)
    return {"echoes_us": state["ranger"].pings(config.pings), "temp_c100": state["air"]()}


def fields(count):
    # So many samples of the field, in nT, half a second apart.
    if "chip" not in state:
        state["chip"] = attach.magnetometer(state["config"])
        state["chip"].start()
    seen = []
    for _ in range(count):
        if seen:
            time.sleep_ms(500)
        x, y, z, _ = state["chip"].read(Deadline(3000))
        seen.append((x, y, z))
    return seen


def write(changes):
    # One entry of NVS: after a cut of the power it is as before or as after. Returns what stands there now.
    merged = configuration.parse(blob(nvs, "cfg", 2048))
    merged.update(changes)
    configuration.checked(**merged)
    nvs.set_blob("cfg", json.dumps(merged, separators=(",", ":")))
    nvs.commit()
    from derb.remote import Remote

    now = configuration.parse(blob(nvs, "cfg", 2048))
    in_force = Remote(nvs, now).config
    return [[name, now.get(name), getattr(in_force, name)] for name in sorted(changes)]


def learn_bay(looks):
    # The place is forgotten and learnt anew, by the detector itself; in RTC memory and in flash.
    from derb import queue, sense
    from derb.crumbs import Crumbs
    from derb.memory import Memory
    from derb.storage import Storage

    memory = Memory(machine.RTC())
    crumbs = Crumbs(memory)
    try:
        node = Node(memory, crumbs, Storage(True), nvs)
        node.run("load")
        sense.forget(node)
        sensing = sense.make(node)
        for _ in range(looks):
            sensing.sense(node.clock.now, Deadline(10000), False)
            node.feed()
        detector = sensing._detector
        nvs.set_blob("bay", detector.dumps())
        nvs.commit()
        node.kept.sensing = sensing.dumps()
        node.run("queue")
        queue.save(node)
        return {"state": detector.state, "confidence": detector.confidence, "fault": sensing.fault}
    finally:
        machine.WDT(timeout=PROMPT_MS)
        crumbs.rest()
