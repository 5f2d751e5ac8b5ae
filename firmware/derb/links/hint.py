"""Which relay to try first."""


class Hint:
    """Which relay was heard last, in NVS: it outlives a loss of power, and is written only when it changes."""

    def __init__(self, nvs):
        self._nvs = nvs

    def load(self):
        """Return what was saved, b"" if nothing was."""
        buf = bytearray(16)
        try:
            return bytes(buf[: self._nvs.get_blob("relay", buf)])
        except OSError:
            return b""  # not there yet

    def save(self, hint):
        """Keep a few bytes."""
        self._nvs.set_blob("relay", hint)
        self._nvs.commit()
