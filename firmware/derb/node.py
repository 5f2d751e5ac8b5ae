"""One wake: sense, decide, keep, perhaps send, sleep."""

import os
import struct
import sys
import time

import esp32
import machine
from micropython import const

from derb import frame, health, power
from derb import config as configuration
from derb.clock import Clock
from derb.deadline import Deadline
from derb.drivers import attach
from derb.links import LinkError
from derb.memory import Memory
from derb.outbox import Outbox
from derb.segments import Segments
from derb.sender import Sender

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
        sleep_ms = Node().wake()
    except Exception as e:
        # Nobody is there to see a prompt: an awake node empties its battery in days.
        sys.print_exception(e)
    machine.deepsleep(sleep_ms)


class Node:
    """The board, its configuration and its memory, for one wake."""

    def __init__(self):
        self._began_ms = time.ticks_ms()
        self._nvs = esp32.NVS("derb")
        self._config = configuration.load(_blob(self._nvs, "cfg", 2048))
        self._key = _blob(self._nvs, "key", frame.KEY_SIZE)
        self._id = machine.unique_id()
        self._watchdog = machine.WDT(timeout=self._config.awake_ms + _WATCHDOG_MARGIN_MS)
        self._memory = Memory(machine.RTC())
        self._recall()

    def _recall(self):
        record = self._memory.load() or bytes(_FIXED_SIZE + 2)
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

        return Container(attach.ranger(config), attach.thermometer(config), config, saved)

    def wake(self):
        """Do all that is due; return for how many milliseconds to sleep."""
        self._log("wake", machine.reset_cause(), machine.wake_reason())
        battery_mv = self._battery_mv()
        first = self._outbox.next_sequence == 0
        said = self._sense(first)
        if self._clock.now() >= self._next_health:
            self._next_health = self._clock.now() + self._config.health_every_s
            said.append((frame.HEALTH, self._health(battery_mv), False))
        self._keep(said)
        if self._due(said):
            self._send()
        for boot, sequence in self._outbox.settle(self._hold()):
            self._log("safe", boot, sequence)
        return self._sleep()

    def _sense(self, first):
        now, wake_s = self._clock.now(), self._config.wake_s
        if self._config.kind == "parking":
            self._next_sense = now + wake_s
        elif now < self._next_sense:
            return []  # a wake that only tries to send again
        else:
            self._next_sense = max(self._next_sense, now - wake_s) + wake_s
        # A car takes its time: what it may take is bounded apart from what the radio may.
        return self._sensing.sense(self._clock.now, Deadline(self._config.episode_s * 1000), first)

    def _nap(self, ms):
        machine.lightsleep(ms)
        self._watchdog.feed()

    def _keep(self, said):
        self._new = (self._outbox.boot, self._outbox.next_sequence)
        kept = [(self._outbox.put(kind, payload), kind, payload) for kind, payload, _ in said]
        if not kept:
            return
        # Readings count as kept, and their numbers as used, only once RTC memory says so; with them what was sensed.
        self._save()
        for (boot, sequence), kind, payload in kept:
            self._log("kept", boot, sequence, kind, payload.hex(), self._clock.now())

    def _due(self, said):
        if self._clock.now() < self._next_send or not len(self._outbox):
            return False
        if any(urgent for _, _, urgent in said) or self._failures:
            return True
        return self._config.kind == "parking" or len(self._outbox) >= self._config.report_every

    def _hold(self):
        return 0 if self._failures else self._config.hold

    def _send(self):
        from derb.links.ways import ways_out

        sender = Sender(self._id, self._key, self._outbox, self._clock, self._log, self._new)
        link = ways_out(self._config, self._id, self._nvs, self._detours, self._failures)
        deadline = Deadline(self._config.awake_ms)
        self._watchdog.feed()
        delivered = False
        try:
            link.open(deadline)
            delivered = sender.run(link, deadline)
        except LinkError as e:
            self._log("failed", e)
        except Exception as e:
            # Whatever a stranger at the broker made happen: the readings must still reach the flash, the radio its rest.
            sys.print_exception(e)
        link.close()
        self._detours, self._rssi_dbm = link.detours, link.rssi_dbm or self._rssi_dbm
        if sender.refused or self._segments.damaged:
            self._log("odd", sender.refused, self._segments.damaged)
        self._failures = 0 if delivered else min(255, self._failures + 1)
        self._next_send = 0 if delivered else self._clock.now() + self._backoff_s()

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
        sleep_ms = max(_LEAST_SLEEP_MS, (until - now) * 1000)
        if self._config.kind == "level":
            attach.release(self._config)
        elif self._sensing.watches and self._config.int_pin >= 0:
            power.wake_on_high(esp32, machine.Pin(self._config.int_pin, machine.Pin.IN))
        self._save()
        self._log("sleep", sleep_ms)
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
        self._memory.save(fixed + struct.pack("<H", len(outbox)) + outbox + self._sensing.dumps())

    def _health(self, battery_mv):
        return health.payload(
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

    def _battery_mv(self):
        if self._config.batt_pin < 0:
            return None
        microvolt = machine.ADC(machine.Pin(self._config.batt_pin)).read_uv()
        return microvolt // 1000 * self._config.batt_ratio_x100 // 100

    def _log(self, *words):
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
