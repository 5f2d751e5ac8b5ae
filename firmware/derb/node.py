"""One wake: sense, decide, keep, perhaps send, sleep."""

import os
import time

import esp32
import machine
from micropython import const

from derb import VERSION, frame, reading
from derb import config as configuration
from derb import crumbs as step
from derb.backoff import backoff_s
from derb.boots import take_boot
from derb.clock import Clock, seconds
from derb.deadline import Deadline
from derb.kept import Kept
from derb.links.remembered import Remembered
from derb.outbox import Outbox
from derb.vitals import news

_WATCHDOG_MARGIN_MS = const(15000)
_LEAST_SLEEP_MS = const(1000)
_HOLD_IN_OUTAGE = const(6)
_KB_LEFT = const(29)  # changes at every wake of an update


class Node:
    """The board, its configuration and its memory, for one wake.

    What the parts of a wake share is public: `config`, `upkeep` (None in deep safe mode), `kept`, `outbox`, `clock`,
    `crumbs`, `sensing` (None in the deepest), `budget`.
    """

    def __init__(self, memory, crumbs, storage, nvs):
        """`crumbs` of this wake, entered into at every step; `storage` is made ready only when flash is needed."""
        self._began_ms = time.ticks_ms()
        self._memory = memory
        self.crumbs = crumbs
        self.storage = storage
        self.nvs = nvs
        crumbs.enter(step.LOAD)
        self.config, self.upkeep = self._load_config()
        config = self.config
        self.watchdog = machine.WDT(timeout=config.awake_ms + _WATCHDOG_MARGIN_MS)
        # The one budget of this wake: nothing below waits without a part of it, and the watchdog bites behind it.
        sensing_ms = config.episode_s * 1000 if config.kind == "parking" else config.awake_ms
        self.budget = Deadline(sensing_ms + config.awake_ms)
        self.key = blob(nvs, "key", frame.KEY_SIZE)
        self.id = machine.unique_id()
        self.reboot = False
        self.segments = None
        self._recall()

    def _load_config(self):
        raw = blob(self.nvs, "cfg", 2048)
        if self.crumbs.level >= step.PROVISIONED:
            return configuration.vital(raw), None
        from derb.upkeep import Upkeep

        upkeep = Upkeep(self.nvs, configuration.parse(raw))
        return upkeep.config, upkeep

    def _recall(self):
        self.kept = kept = Kept(self._memory.load())
        kept.vitals.woke(machine.reset_cause())
        self.clock = Clock(seconds(time, machine, self.nvs), kept.unix_at_zero)
        self.outbox = Outbox(
            self._open_segments, self.clock, lambda: take_boot(self.nvs, self._open_segments)
        )
        if self.upkeep:
            self.upkeep.attach(self, self.clock, kept.vitals)
        if not self.outbox.restore(kept.outbox):
            self.outbox.start()
        elif kept.saved_s > self.clock.now():
            # The clock went back: what is kept was stamped on another time line, so it becomes a former boot's.
            self.outbox.settle()
            self.clock.unix_at_zero = kept.next_sense = kept.next_send = kept.next_health = 0
            self.outbox.start()
            kept.sensing = b""
        plain = self.crumbs.level >= step.PLAIN
        names = (self.config.ssid, self.config.broker, self.config.port)
        self.remembered = Remembered(b"" if plain else kept.way, self.clock.now, self.config.lease_s, names)
        self.sensing = None
        if self.crumbs.level < step.SIGN_OF_LIFE:
            self.sensing = self.make_sensing(kept.sensing or None)

    def _open_segments(self):
        if self.segments is None:
            from derb.segments import Segments

            self.segments = Segments("/outbox", self.storage.ready)
        return self.segments

    def make_sensing(self, saved):
        """Return what senses, as far as `saved` tells how it was before."""
        from derb.drivers import attach

        config = self.config
        if config.kind == "parking":
            from derb.bay import Bay
            from derb.keepsake import Keepsake

            return Bay(
                lambda: attach.magnetometer(config),
                config,
                saved,
                self._nap,
                lambda kept: Keepsake(self.nvs, kept),
                self.kept.rssi_dbm or None,
            )
        from derb.container import Container

        return Container(
            attach.ranger(config), attach.thermometer(config), config, saved, attach.accelerometer(config)
        )

    def wake(self):
        """Do all that is due; return for how many milliseconds to sleep."""
        crumbs = self.crumbs
        self.log("wake", machine.reset_cause(), machine.wake_reason())
        if crumbs.level:
            self.log("level", crumbs.level, crumbs.failed_in, crumbs.cause)
        crumbs.enter(step.BATTERY)
        self._battery_mv = self.battery_mv()
        crumbs.enter(step.SENSE)
        first = self.outbox.next_sequence == 0
        said = self.upkeep.begin() if self.upkeep else []
        if self.sensing:
            said.extend(self._sense(first))
        said.extend(self._report())
        self.new = (self.outbox.boot, self.outbox.next_sequence)
        self.keep(said)
        self.kept.vitals.sense_ms = time.ticks_diff(time.ticks_ms(), self._began_ms)
        if self._due(said):
            from derb.trip import Trip

            Trip(self).run()
        crumbs.enter(step.SETTLE)
        self._settle()
        crumbs.enter(step.SLEEP)
        return self._sleep()

    def _sense(self, first):
        kept, now, wake_s = self.kept, self.clock.now(), self.config.wake_s
        if self.config.kind == "parking":
            kept.next_sense = now + wake_s
        elif now < kept.next_sense:
            return self.sensing.disturbed(self.clock.now)  # sends again, or a tilt woke it
        else:
            kept.next_sense = max(kept.next_sense, now - wake_s) + wake_s
        if first:
            # Nodes that got their power at the same moment do not go on in step.
            kept.next_sense -= sum(self.id) % 256 * wake_s // 512
        # A car takes its time: what it may take is bounded apart from what the radio may.
        return self.sensing.sense(self.clock.now, self.budget.within(self.config.episode_s * 1000), first)

    def _nap(self, ms):
        machine.lightsleep(ms)
        self.watchdog.feed()

    def _report(self):
        """Say how the node is: once a day, and when something changed that a person waits for."""
        kept = self.kept
        told = news(self._told_at_once())
        proving = self.upkeep and self.upkeep.proving
        if self.clock.now() < kept.next_health and told == kept.vitals.told and not proving:
            return []
        from derb import health

        urgent = proving or kept.vitals.told not in (0, told)
        kept.vitals.told = told
        kept.next_health = self.clock.now() + self.config.health_every_s
        is_parking = self.config.kind == "parking"
        pairs = health.fields(
            self._battery_mv, machine.reset_cause(), kept, self.outbox, self.sensing, is_parking
        )
        if self.upkeep:
            pairs += self.upkeep.fields()
        pairs += (
            [(11, VERSION), (14, self._fault())]
            + health.of_vitals(kept.vitals)
            + health.of_crumbs(self.crumbs)
        )
        return [(reading.HEALTH, health.payload(pairs), urgent)]

    def _told_at_once(self):
        """Return the pairs of a health reading whose change is told at once: a person may wait for it."""
        pairs = [(11, VERSION), (14, self._fault()), (30, self.crumbs.level)]
        if self.upkeep:
            pairs += [pair for pair in self.upkeep.fields() if pair[0] != _KB_LEFT]
        return pairs

    def _fault(self):
        return self.sensing.fault if self.sensing else None

    def keep(self, said):
        """Put (kind, payload, urgent) into the outbox; when this returns they are in RTC memory."""
        outbox, kept = self.outbox, []
        for kind, payload, _ in said:
            kept.append((outbox.put(kind, payload), kind, payload))
        shed = outbox.shed - self.kept.shed_told
        if shed > 0:
            self.kept.shed_told = outbox.shed
            payload = reading.alarm_payload(reading.READINGS_SHED, shed)
            kept.append((outbox.put(reading.ALARM, payload), reading.ALARM, payload))
        if not kept:
            return
        # Readings count as kept, and their numbers as used, only once RTC memory says so; with them what was sensed.
        self._save()
        for (boot, sequence), kind, payload in kept:
            self.log("kept", boot, sequence, kind, payload.hex(), self.clock.now())

    def _due(self, said):
        if self.clock.now() < self.kept.next_send:
            return False
        if self._battery_mv is not None and self._battery_mv < self.config.radio_min_mv:
            self.log("gated", self._battery_mv)  # a transmission could be what resets the chip
            return False
        wanted = bool(self.upkeep) and self.upkeep.due
        if wanted or not len(self.outbox):
            return wanted
        if any(urgent for _, _, urgent in said) or self.kept.failures or self.crumbs.level:
            return True
        return self.config.kind == "parking" or len(self.outbox) >= self.config.report_every

    def _settle(self):
        """Put on flash what must not be lost with the power: docs/protocol.md says what may be."""
        self.outbox.settle(self._hold())
        if self.outbox.shed > self.kept.shed_told:
            self.keep([])  # says how many; it goes to flash with the rest and is sent by the next wake
            self.outbox.settle()
        for boot, sequence in self.outbox.settled:
            self.log("safe", boot, sequence)
        if self.outbox.flash_errors:
            self.log("flash", self.outbox.flash_errors)

    def _hold(self):
        # An event is written in the wake that could not deliver it. A first failure may be the beginning of anything.
        failures, hold = self.kept.failures, self.config.hold
        weak = self._battery_mv is not None and self._battery_mv < self.config.batt_low_mv
        if weak or self.reboot or failures == 1 or self.outbox.holds_event:
            return 0
        return min(hold, _HOLD_IN_OUTAGE) if failures else hold

    def judged(self, delivered):
        """Note how a trip went, and when the next may begin."""
        self.kept.failures = 0 if delivered else min(255, self.kept.failures + 1)
        self.kept.next_send = 0
        if not delivered:
            chance = int.from_bytes(os.urandom(2), "little")
            wait_s = backoff_s(self.kept.failures, self.config.backoff_max_s, chance)
            self.kept.next_send = self.clock.now() + wait_s

    def _sleep(self):
        kept, now = self.kept, self.clock.now()
        kept.awake_ms = time.ticks_diff(time.ticks_ms(), self._began_ms)
        until = kept.next_sense if self.sensing else now + self.config.wake_s
        if kept.failures:
            until = min(until, max(kept.next_send, now))
        elif self.upkeep and self.upkeep.pause_s:
            until = min(until, now + self.upkeep.pause_s)
        if self.config.kind == "level" and self.sensing and self.sensing.look_in_s:
            until = min(until, now + self.sensing.look_in_s)
        sleep_ms = max(_LEAST_SLEEP_MS, (until - now) * 1000)
        if self.config.kind == "level":
            from derb.drivers import attach

            attach.release(self.config)
        if self.sensing and self.sensing.watches and self.config.int_pin >= 0:
            from derb import power

            power.wake_on_high(esp32, machine.Pin(self.config.int_pin, machine.Pin.IN))
        self._save()
        self.log("sleep", sleep_ms)
        return sleep_ms

    def _save(self):
        kept = self.kept
        if self.segments:
            kept.flash_writes += self.segments.writes
            self.segments.writes = 0
        kept.unix_at_zero, kept.saved_s = self.clock.unix_at_zero, self.clock.now()
        kept.outbox, kept.way = self.outbox.dumps(), self.remembered.dumps()
        if self.sensing:
            kept.sensing = self.sensing.dumps()
        self._memory.save(kept.dumps())

    def battery_mv(self, radio=False):
        """Return the battery's voltage, None if it is not measured; `radio`: while the radio is on."""
        if self.config.batt_pin < 0:
            return None
        try:
            microvolt = machine.ADC(machine.Pin(self.config.batt_pin), atten=machine.ADC.ATTN_11DB).read_uv()
        except OSError:
            if not radio:
                raise
            return None  # the radio has the converter of half the pins for itself
        return microvolt // 1000 * self.config.batt_ratio_x100 // 100

    def log(self, *words):
        """Say it on the console, if that is wanted."""
        if self.config.log:
            print("derb", *words)

    # What chores may use.

    def self_test(self):
        """Measure once, keep the readings; return the sensor fault."""
        self.keep(self.sensing.sense(self.clock.now, Deadline(self.config.episode_s * 1000), True))
        self.watchdog.feed()
        return self.sensing.fault

    def lamp(self):
        """Return the pin of the lamp, or None."""
        pin = self.config.led_pin
        return None if pin < 0 else machine.Pin(pin, machine.Pin.OUT, value=0)

    def feed(self):
        """Feed the watchdog; only from loops that have a deadline."""
        self.watchdog.feed()


def blob(nvs, name, longest):
    """Return the bytes that NVS keeps under a name."""
    buf = bytearray(longest)
    return bytes(buf[: nvs.get_blob(name, buf)])
