"""The configuration that came over the air: on trial until it is proven, and the last one that worked beside it.

Three entries of NVS, each old or new and never torn: `cfg_try` is on trial, `cfg_ok` has worked, `cfg_top` is the highest
version ever seen. A version is judged once. Whatever is lost or damaged, what was provisioned over USB is still below.
"""

from micropython import const

from derb import config as configuration
from derb import frame

_TRIES = const(4)  # connections begun, none of which came to its end
_LONGEST = const(255)  # a section has no more

TAKEN = const(1)
REFUSED = const(2)
OLD = const(3)
KNOWN = const(4)


class Remote:
    """What the gateway changed of `provisioned`, the settings from USB. `nvs` is as esp32.NVS."""

    def __init__(self, nvs, provisioned):
        self._nvs = nvs
        self._provisioned = provisioned
        self.damaged = 0  # entries of NVS that could not be read as a configuration
        self.version = 0  # in force
        self.on_trial = False
        self.config = self._choose()
        # The versions on flash count too: power may have gone before the highest was noted.
        self.top = max(self._number("cfg_top"), self.version)

    def _choose(self):
        for name in ("cfg_try", "cfg_ok"):
            body = self._body(name)
            if not body:
                continue
            try:
                version, settings = read(body)
                config = self._whole(settings)
            except (configuration.ConfigError, frame.FrameError):
                self.damaged += 1
                continue
            self.version = version
            self.on_trial = name == "cfg_try"
            return config
        return configuration.checked(**dict(self._provisioned))

    def _whole(self, settings):
        merged = dict(self._provisioned)
        merged.update(settings)
        return configuration.checked(**merged)

    def refused(self):
        """Return the newest version if it is not in force, else 0."""
        return self.top if self.top > self.version else 0

    def offer(self, body):
        """Judge the body of a configuration section; return what became of it. Raise FrameError if it is none."""
        version, at = frame.get_varint(body, 0)
        if version <= self.top:
            return KNOWN if version == self.top else OLD
        self.top = version
        try:
            self._whole(read(body)[1])
        except (configuration.ConfigError, frame.FrameError):
            self._nvs.set_i32("cfg_top", version)
            self._nvs.commit()
            return REFUSED
        # In this order: a trial that is there has all its tries, and a version that is noted is there.
        for put, name, value in (
            (self._nvs.set_i32, "cfg_tries", 0),
            (self._nvs.set_blob, "cfg_try", body),
            (self._nvs.set_i32, "cfg_top", version),
        ):
            put(name, value)
            self._nvs.commit()
        return TAKEN

    def attempt(self):
        """Note that a connection begins, before it can fail; return the version that is given up for good, or 0."""
        if not self.on_trial:
            return 0
        tries = self._number("cfg_tries") + 1
        if tries > _TRIES:
            return self.give_up()
        self._nvs.set_i32("cfg_tries", tries)
        self._nvs.commit()
        return 0

    def failed(self):
        """Note that the connection did not come to its end; return the version that is given up for good, or 0."""
        if self.on_trial and self._number("cfg_tries") >= _TRIES:
            return self.give_up()
        return 0

    def give_up(self):
        """Leave the configuration on trial; from the next wake on the last one that worked is in force."""
        self._nvs.set_i32("cfg_top", self.top)
        self._nvs.commit()
        self._nvs.erase_key("cfg_try")
        self._nvs.commit()
        self.on_trial = False
        return self.version

    def confirm(self):
        """All receipts came with what is in force: it works. Return whether that is news."""
        if not self.on_trial:
            return False
        self._nvs.set_blob("cfg_ok", self._body("cfg_try"))
        self._nvs.commit()
        self._nvs.erase_key("cfg_try")
        self._nvs.commit()
        self.on_trial = False
        return True

    def _body(self, name):
        buf = bytearray(_LONGEST)
        try:
            return bytes(buf[: self._nvs.get_blob(name, buf)])
        except OSError:
            return b""  # none, or nothing of ours

    def _number(self, name):
        try:
            return self._nvs.get_i32(name)
        except OSError:
            return 0  # not there yet


def read(body):
    """Return (version, settings) of a configuration section; raise FrameError."""
    version, at = frame.get_varint(body, 0)
    settings = {}
    while at < len(body):
        number = body[at]
        if not 1 <= number <= len(configuration.REMOTE):
            raise frame.FrameError("unknown field")
        name = configuration.REMOTE[number - 1]
        if name in settings:
            raise frame.FrameError("field twice")
        settings[name], at = _text(body, at + 1) if configuration.is_text(name) else _number(body, at + 1)
    return version, settings


def _number(body, at):
    zigzag, at = frame.get_varint(body, at)
    return (zigzag >> 1 if not zigzag & 1 else -(zigzag >> 1) - 1), at


def _text(body, at):
    end = at + 1 + (body[at] if at < len(body) else 0)
    if end > len(body) or at >= len(body):
        raise frame.FrameError("text cut off")
    try:
        return str(body[at + 1 : end], "utf-8"), end
    except UnicodeError:
        raise frame.FrameError("not UTF-8")
