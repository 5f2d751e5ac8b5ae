"""NVS as strict as the chip's: names of at most 15 characters, nothing is kept before `commit`, types do not mix."""


class NvsCut(Exception):
    """The power went in the middle."""


class FakeNvs:
    """`kept` outlives a cut; `cut_at` counts committed entries from 1: that one and all later ones are lost."""

    def __init__(self, kept=None, cut_at=0):
        self.kept = {} if kept is None else kept
        self._pending = {}
        self._cut_at = cut_at
        self.writes = 0

    def set_i32(self, name, value):
        assert -(1 << 31) <= value < 1 << 31, value
        self._set(name, value)

    def set_blob(self, name, value):
        self._set(name, bytes(value))

    def _set(self, name, value):
        assert 0 < len(name) <= 15, name
        if self.kept.get(name) != value or name in self._pending:
            self._pending[name] = value

    def get_i32(self, name):
        value = self._get(name)
        if not isinstance(value, int):
            raise OSError(-0x1103)
        return value

    def get_blob(self, name, buf):
        value = self._get(name)
        if not isinstance(value, bytes):
            raise OSError(-0x1103)
        if len(value) > len(buf):
            raise OSError(-0x110C)
        buf[: len(value)] = value
        return len(value)

    def erase_key(self, name):
        self._get(name)
        self._pending[name] = None

    def commit(self):
        for name in list(self._pending):
            self.writes += 1
            if self.writes == self._cut_at:
                raise NvsCut
            value = self._pending.pop(name)
            if value is None:
                del self.kept[name]
            else:
                self.kept[name] = value

    def _get(self, name):
        value = self._pending[name] if name in self._pending else self.kept.get(name)
        if value is None:
            raise OSError(-0x1102)
        return value
