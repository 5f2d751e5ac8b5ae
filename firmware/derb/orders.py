"""What a downlink orders besides receipts: a configuration, a command. Judges; what is to be done others do.

A command is begun at most once, by its id, which is on flash before it begins; so neither a repeated downlink nor a
crash in the middle of a command does it again.
"""

import struct

from micropython import const

from derb import frame

CONFIG = const(1)
COMMAND = const(2)

IDENTIFY = const(1)
SELF_TEST = const(2)
RECALIBRATE = const(3)
STAY_AWAKE = const(4)
DIAGNOSTICS = const(5)
REBOOT = const(6)
UPDATE = const(7)


class Command:
    """One order: `deadline` is Unix time."""

    def __init__(self, id, code, deadline, argument):
        self.id = id
        self.code = code
        self.deadline = deadline
        self.argument = argument


class Orders:
    """Reads sections; `nvs` is as esp32.NVS, `remote()` gives the configuration from afar, `clock` is the node's.

    `fresh_s`: gateway time of the last downlink before that cannot be an old one.
    """

    def __init__(self, nvs, remote, clock, fresh_s=None):
        self._nvs = nvs
        self._remote = remote
        self._clock = clock
        self._last = None  # id of the command begun last
        self._command = None
        self._expired = []
        self._fresh_s = fresh_s
        self.stale = 0  # sections refused because they were old
        self.malformed = 0
        self.config_refused = 0  # version that was just refused
        self.config_taken = False

    def hear(self, unix_s, fresh, sections):
        """Take the sections of a downlink; `fresh`: it cannot be one that was sent before this connection."""
        if fresh:
            self._fresh_s = unix_s
        elif self._fresh_s is not None and unix_s >= self._fresh_s:
            fresh = True  # it was made after one that was made on this connection
        for kind, body in sections:
            try:
                if kind == CONFIG:
                    self._configure(body)
                elif kind == COMMAND:
                    self._order(unix_s if fresh else None, body)
            except (frame.FrameError, ValueError, IndexError):
                self.malformed += 1

    def _configure(self, body):
        from derb import remote

        configuration = self._remote()
        became = configuration.offer(body)
        if became == remote.TAKEN:
            self.config_taken = True
        elif became == remote.REFUSED:
            self.config_refused = configuration.top
        elif became == remote.OLD:
            self.stale += 1

    def _order(self, now_s, body):
        id, at = frame.get_varint(body, 0)
        code, deadline = struct.unpack("<BI", body[at : at + 5])
        argument, at = frame.get_varint(body, at + 5)
        if at != len(body) or id >> 31:
            raise frame.FrameError("malformed command")
        last = self._begun()
        if id <= last:
            self.stale += id < last
            return
        if now_s is None:
            now_s = self._clock.to_unix(self._clock.now())
            if not now_s:
                return  # whether it is in time cannot be known yet; it will come again
        if now_s > deadline:
            self._begin(id)
            self._expired.append(id)
        else:
            self._command = Command(id, code, deadline, argument)

    def next(self):
        """Return the command to do now, or None; from here on it will never be begun again."""
        command, self._command = self._command, None
        if command:
            self._begin(command.id)
        return command

    def waiting(self):
        """Return whether `next` or `expired` has something."""
        return bool(self._command or self._expired)

    def expired(self):
        """Return the ids that came too late, once."""
        expired, self._expired = self._expired, []
        return expired

    def _begun(self):
        if self._last is None:
            try:
                self._last = self._nvs.get_i32("cmd")
            except OSError:
                self._last = 0  # none yet
        return self._last

    def _begin(self, id):
        self._last = id
        self._nvs.set_i32("cmd", id)
        self._nvs.commit()
