"""One wake: sense, decide, keep, perhaps send, sleep."""

import gc
import os
import struct
import sys
import time

import esp32
import machine
from micropython import const

from derb import frame, health, power, vitals
from derb import config as configuration
from derb.clock import Clock
from derb.deadline import Deadline
from derb.drivers import attach
from derb.links import LinkError
from derb.memory import Memory
from derb.outbox import Outbox
from derb.segments import Segments
from derb.sender import Sender
from derb.upkeep import Upkeep

_WATCHDOG_MARGIN_MS = const(15000)
_CRASH_SLEEP_MS = const(300000)
_LEAST_SLEEP_MS = const(1000)
_FIRST_BACKOFF_S = const(60)
_FIRST_BOOT = const(8192)  # up to twice of it a boot number takes two bytes

# unix_at_zero, last save, next sensing, next sending, next health reading, last awake_ms, flash writes; failures in a
# row, signal of the last connection or 0, wakes in a row that went another way than the first
_FIXED = "<IIIIIIIBbB"
_FIXED_SIZE = const(31)


def main():
    """Run one wake and sleep, whatever happens."""
    machine.WDT(timeout=_WATCHDOG_MARGIN_MS)
    sleep_ms = _CRASH_SLEEP_MS
    try:
        node = Node()
        sleep_ms = node.wake()
        if node.reboot:
            machine.reset()
    except Exception as e:
        # Nobody is there to see a prompt: an awake node empties its battery in days.
        sys.print_exception(e)
    machine.deepsleep(sleep_ms)


class Node:
    """The board, its configuration and its memory, for one wake."""

    def __init__(self):
        self._began_ms = time.ticks_ms()
        self._nvs = esp32.NVS("derb")
        self._upkeep = Upkeep(self._nvs, configuration.parse(_blob(self._nvs, "cfg", 2048)))
        self._config = self._upkeep.config
        self.key = _blob(self._nvs, "key", frame.KEY_SIZE)
        self.id = machine.unique_id()
        self.reboot = False
        self._watchdog = machine.WDT(timeout=self._config.awake_ms + _WATCHDOG_MARGIN_MS)
        self._memory = Memory(machine.RTC())
        self._recall()
        self._upkeep.attach(self, self._clock, self._vitals)

    def _recall(self):
        record = self._memory.load() or bytes(vitals.SIZE + _FIXED_SIZE + 2)
        self._vitals = vitals.Vitals(record[: vitals.SIZE])
        self._vitals.woke(machine.reset_cause())
        record = record[vitals.SIZE :]
        fixed = struct.unpack(_FIXED, record[:_FIXED_SIZE])
        unix_at_zero, saved_s, self._next_sense, self._next_send, self._next_health = fixed[:5]
        self._awake_ms, self._flash_writes, self._failures, self._rssi_dbm, self._detours = fixed[5:]
        at = _FIXED_SIZE + 2 + struct.unpack("<H", record[_FIXED_SIZE : _FIXED_SIZE + 2])[0]
        self._clock = Clock(time.time, unix_at_zero)
        self._segments = Segments("/outbox")
        self._outbox = Outbox(self._segments, self._clock, self._take_boot)
        saved_sensing = record[at:] or None
        if not self._outbox.restore(record[_FIXED_SIZE + 2 : at]):
            self._outbox.start()
        elif saved_s > time.time():
            # The clock went back: what is kept was stamped on another time line, so it becomes a former boot's.
            self._outbox.settle()
            self._clock.unix_at_zero = self._next_sense = self._next_send = self._next_health = 0
            self._outbox.start()
            saved_sensing = None
        self._sensing = self._make_sensing(saved_sensing)

    def _take_boot(self):
        # The number is on flash before its first use. The files know better than a lost or torn NVS.
        boot = max([_number(self._nvs, "boot")] + [segment.last[0] for segment in self._segments.index()]) + 1
        if boot == 1:
            # Nothing here remembers a former life, but the gateway may: begin where the last one hardly was.
            boot = _FIRST_BOOT + int.from_bytes(os.urandom(2), "little") % _FIRST_BOOT
        self._nvs.set_i32("boot", boot)
        self._nvs.commit()
        return boot

    def _make_sensing(self, saved):
        config = self._config
        if config.kind == "parking":
            from derb.bay import Bay

            return Bay(lambda: attach.magnetometer(config), config, saved, self._nap, self._rssi_dbm or None)
        from derb.container import Container

        return Container(
            attach.ranger(config), attach.thermometer(config), config, saved, attach.accelerometer(config)
        )

    def wake(self):
        """Do all that is due; return for how many milliseconds to sleep."""
        self.log("wake", machine.reset_cause(), machine.wake_reason())
        battery_mv = self._battery_mv()
        first = self._outbox.next_sequence == 0
        said = self._upkeep.begin()
        said.extend(self._sense(first))
        said.extend(self._report(battery_mv))
        self._new = (self._outbox.boot, self._outbox.next_sequence)
        self.keep(said)
        self._vitals.sense_ms = self._since(self._began_ms)
        if self._due(said):
            self._send()
        for boot, sequence in self._outbox.settle(self._hold()):
            self.log("safe", boot, sequence)
        return self._sleep()

    def _sense(self, first):
        now, wake_s = self._clock.now(), self._config.wake_s
        if self._config.kind == "parking":
            self._next_sense = now + wake_s
        elif now < self._next_sense:
            return self._sensing.disturbed(self._clock.now)  # sends again, or a tilt woke it
        else:
            self._next_sense = max(self._next_sense, now - wake_s) + wake_s
        # A car takes its time: what it may take is bounded apart from what the radio may.
        return self._sensing.sense(self._clock.now, Deadline(self._config.episode_s * 1000), first)

    def _nap(self, ms):
        machine.lightsleep(ms)
        self._watchdog.feed()

    def _report(self, battery_mv):
        pairs = self._health(battery_mv)
        told = health.news(pairs)
        proving = self._upkeep.proving
        if self._clock.now() < self._next_health and told == self._vitals.told and not proving:
            return []
        urgent = proving or self._vitals.told not in (0, told)
        self._vitals.told = told
        self._next_health = self._clock.now() + self._config.health_every_s
        return [(frame.HEALTH, health.payload(pairs), urgent)]

    def keep(self, said):
        """Put (kind, payload, urgent) into the outbox; safe in RTC memory when this returns."""
        kept = [(self._outbox.put(kind, payload), kind, payload) for kind, payload, _ in said]
        if not kept:
            return
        # Readings count as kept, and their numbers as used, only once RTC memory says so; with them what was sensed.
        self._save()
        for (boot, sequence), kind, payload in kept:
            self.log("kept", boot, sequence, kind, payload.hex(), self._clock.now())

    def _due(self, said):
        if self._clock.now() < self._next_send:
            return False
        if self._upkeep.due or not len(self._outbox):
            return self._upkeep.due
        if any(urgent for _, _, urgent in said) or self._failures:
            return True
        return self._config.kind == "parking" or len(self._outbox) >= self._config.report_every

    def _hold(self):
        return 0 if self._failures or self.reboot else self._config.hold

    def _send(self):
        from derb.links.ways import ways_out

        sender = Sender(
            self.id, self.key, self._outbox, self._clock, self.log, self._new, self._upkeep.orders.hear
        )
        link = ways_out(self._config, self.id, self._nvs, self._detours, self._failures)
        deadline = Deadline(self._config.awake_ms)
        self._watchdog.feed()
        self._upkeep.connecting()
        began_ms = time.ticks_ms()
        delivered = False
        try:
            link.open(deadline)
            self._vitals.connect_ms = self._since(began_ms)
            began_ms = time.ticks_ms()
            delivered = sender.run(link, deadline)
            self._vitals.exchange_ms = self._since(began_ms)
            self._vitals.loaded(self._battery_mv(radio=True))
            if delivered:
                self._upkeep.connected(link, sender, deadline)
        except LinkError as e:
            self.log("failed", e)
        except Exception as e:
            # Whatever a stranger at the broker made happen: the readings must still reach the flash, the radio its rest.
            sys.print_exception(e)
        gc.collect()
        self._vitals.heap(gc.mem_free())
        link.close()
        self._detours, self._rssi_dbm = link.detours, link.rssi_dbm or self._rssi_dbm
        self._upkeep.ended(delivered, sender)
        if sender.refused or self._segments.damaged:
            self.log("odd", sender.refused, self._segments.damaged)
        self.reboot = self._upkeep.reboot
        if self._upkeep.forget_place:
            self._sensing = self._make_sensing(None)
        if self._upkeep.report_soon:
            self._next_health = 0
        if self._upkeep.measure_soon:
            self._next_sense = self._clock.now()
        self._failures = 0 if delivered else min(255, self._failures + 1)
        self._next_send = 0 if delivered else self._clock.now() + self._backoff_s()

    # What chores may use.

    def self_test(self):
        """Measure once, keep the readings; return the sensor fault."""
        self.keep(self._sensing.sense(self._clock.now, Deadline(self._config.episode_s * 1000), True))
        self._watchdog.feed()
        return self._sensing.fault

    def lamp(self):
        """Return the pin of the lamp, or None."""
        pin = self._config.led_pin
        return None if pin < 0 else machine.Pin(pin, machine.Pin.OUT, value=0)

    def feed(self):
        """Feed the watchdog; only from loops that have a deadline."""
        self._watchdog.feed()

    def _backoff_s(self):
        # Doubling, with jitter over the upper half: nodes that lost the same broker do not come back together.
        longest = min(self._config.backoff_max_s, _FIRST_BACKOFF_S << min(self._failures - 1, 12))
        return longest // 2 + int.from_bytes(os.urandom(2), "little") * (longest // 2 + 1) // 65536

    def _sleep(self):
        self._awake_ms = time.ticks_diff(time.ticks_ms(), self._began_ms)
        now = self._clock.now()
        until = self._next_sense
        if self._failures:
            until = min(until, max(self._next_send, now))
        elif self._upkeep.pause_s:
            until = min(until, now + self._upkeep.pause_s)
        if self._config.kind == "level" and self._sensing.look_in_s:
            until = min(until, now + self._sensing.look_in_s)
        sleep_ms = max(_LEAST_SLEEP_MS, (until - now) * 1000)
        if self._config.kind == "level":
            attach.release(self._config)
        if self._sensing.watches and self._config.int_pin >= 0:
            power.wake_on_high(esp32, machine.Pin(self._config.int_pin, machine.Pin.IN))
        self._save()
        self.log("sleep", sleep_ms)
        return sleep_ms

    def _save(self):
        self._flash_writes += self._segments.writes
        self._segments.writes = 0
        outbox = self._outbox.dumps()
        fixed = struct.pack(
            _FIXED,
            self._clock.unix_at_zero,
            self._clock.now(),
            self._next_sense,
            self._next_send,
            self._next_health,
            self._awake_ms,
            self._flash_writes,
            self._failures,
            self._rssi_dbm,
            self._detours,
        )
        self._memory.save(
            self._vitals.dumps() + fixed + struct.pack("<H", len(outbox)) + outbox + self._sensing.dumps()
        )

    def _health(self, battery_mv):
        pairs = health.fields(
            battery_mv,
            self._rssi_dbm or None,
            machine.reset_cause(),
            self._awake_ms,
            self._outbox,
            self._failures,
            self._flash_writes,
            self._sensing,
            self._config.kind == "parking",
        )
        pairs.extend(health.of_vitals(self._vitals))
        pairs.extend(self._upkeep.fields())
        return pairs

    def _since(self, began_ms):
        return time.ticks_diff(time.ticks_ms(), began_ms)

    def _battery_mv(self, radio=False):
        if self._config.batt_pin < 0:
            return None
        try:
            microvolt = machine.ADC(machine.Pin(self._config.batt_pin)).read_uv()
        except OSError:
            if not radio:
                raise
            return None  # the radio has the converter of half the pins for itself
        return microvolt // 1000 * self._config.batt_ratio_x100 // 100

    def log(self, *words):
        """Say something on the serial line, if the configuration wants it."""
        if self._config.log:
            print("derb", *words)


def _blob(nvs, name, longest):
    buf = bytearray(longest)
    return bytes(buf[: nvs.get_blob(name, buf)])


def _number(nvs, name):
    try:
        return nvs.get_i32(name)
    except OSError:
        return 0  # not there yet
