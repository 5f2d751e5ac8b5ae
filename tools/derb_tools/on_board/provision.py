# Gives a node its key and settings: entries of NVS, each old or new, the key last; and the node's proof that it has the key.
import json

import esp32
import machine
from derb import config as configuration
from derb import frame
from derb.node import blob

nvs = esp32.NVS("derb")


def identity():
    machine.WDT(timeout=1800000)
    found = {"node": machine.unique_id().hex(), "settings": {}}
    try:
        found["has_key"] = len(blob(nvs, "key", 64)) == frame.KEY_SIZE
    except OSError:
        found["has_key"] = False
    try:
        found["settings"] = sorted(configuration.parse(blob(nvs, "cfg", 2048)))
    except (OSError, configuration.ConfigError):
        found["settings"] = []
    return found


def give(key, changes, challenge, entries):
    try:
        merged = configuration.parse(blob(nvs, "cfg", 2048))
    except (OSError, configuration.ConfigError):
        merged = {}
    merged.update(changes)
    configuration.checked(**merged)
    nvs.set_blob("cfg", json.dumps(merged, separators=(",", ":")))
    for name, value in entries.items():
        if isinstance(value, int):
            nvs.set_i32(name, value)
        else:
            nvs.set_blob(name, bytes.fromhex(value))
    nvs.set_blob("key", bytes.fromhex(key))
    nvs.commit()
    kept = blob(nvs, "key", frame.KEY_SIZE)
    return frame.derive(kept, b"derb-proof", machine.unique_id(), bytes.fromhex(challenge)).hex()
