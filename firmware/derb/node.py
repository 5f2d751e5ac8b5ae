"""One wake: sense, decide, keep, perhaps send, sleep. What its stages share."""

import time

import esp32
import machine

from derb import once

# Each stage is a module with `run(node)`. Its modules come with it and go with it, but for those of the queue, which are
# needed from there on.
STAGES = ("load", "sense", "queue", "report", "trip", "settle", "rest")
_LASTING = "queue"


class Node:
    """The board, its configuration and its memory, for one wake. The stages fill it, one after the other.

    From the beginning: `crumbs`, entered into at every step; `memory`; `storage`, made ready only when flash is needed;
    `nvs`; the modules `machine` and `esp32`; `id`.
    From `load`: `config`, `key`, `kept`, `clock`, `budget`, `watchdog`; `version` and `top` of the configuration from afar,
    None in deep safe mode, and whether it is still `on_trial`.
    From `sense`: `said`, the readings of this wake as (kind, payload, urgent), and what is known of the sensor.
    From `queue`: `outbox`.
    """

    def __init__(self, memory, crumbs, storage, nvs):
        self.began_ms = time.ticks_ms()
        self.memory = memory
        self.crumbs = crumbs
        self.storage = storage
        self.nvs = nvs
        self.machine, self.esp32 = machine, esp32
        self.id = machine.unique_id()
        self.config = self.kept = self.clock = self.budget = self.watchdog = None
        self.key = b""
        self.first = False  # nobody was told anything since power-on
        self.first_sequence = 0  # of this wake's readings
        self.version = self.top = None
        self.on_trial = False
        self.battery_mv = None
        self.said = []
        self.state = self.fault = self.look_in_s = None
        self.watches = False
        self.outbox = self.segments = None
        self.update_wanted = self.update_on_trial = False
        self.must_speak = False  # whatever there is to say: somebody waits for it
        self.reboot = False
        self.sleep_ms = 0

    def wake(self):
        """Do all that is due; return for how many milliseconds to sleep."""
        for stage in STAGES:
            self.run(stage)
        return self.sleep_ms

    def run(self, stage):
        """Run one of STAGES, each in its turn."""
        if stage == _LASTING:
            from derb import queue

            queue.run(self)
        else:
            once.call(stage, "run", self)

    @property
    def weak(self):
        """Whether the battery is too low for what must not be broken off."""
        return self.battery_mv is not None and self.battery_mv < self.config.batt_low_mv

    def feed(self):
        """Feed the watchdog; only from loops that have a deadline."""
        self.watchdog.feed()

    def log(self, *words):
        """Say it on the console, if that is wanted."""
        if self.config.log:
            print("derb", *words)


def blob(nvs, name, longest):
    """Return the bytes that NVS keeps under a name; OSError if there are none."""
    buf = bytearray(longest)
    return bytes(buf[: nvs.get_blob(name, buf)])
