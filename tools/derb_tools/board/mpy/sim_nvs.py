"""`esp32.NVS`: keys of at most 15 characters; a value is on flash after `commit()`, old or new, never torn.

The file is a log, one line an entry in one write, so that a kill leaves whole entries: `namespace key type
hex`, type `i` (i32), `b` (blob) or `-` (erased).
"""

import simctl

_NAME_CHARACTERS = 15
_ENTRIES = (
    5 * 126
)  # 24 kB: six pages of 126 entries of 32 bytes, one page kept free (ESP-IDF, "NVS internals")
_NOT_FOUND = 0x1102
_TYPE_MISMATCH = 0x1103
_NOT_ENOUGH_SPACE = 0x1105
_INVALID_NAME = 0x1106
_KEY_TOO_LONG = 0x1109
_INVALID_LENGTH = 0x110C
_NAMES = {
    _NOT_FOUND: "ESP_ERR_NVS_NOT_FOUND",
    _TYPE_MISMATCH: "ESP_ERR_NVS_TYPE_MISMATCH",
    _NOT_ENOUGH_SPACE: "ESP_ERR_NVS_NOT_ENOUGH_SPACE",
    _INVALID_NAME: "ESP_ERR_NVS_INVALID_NAME",
    _KEY_TOO_LONG: "ESP_ERR_NVS_KEY_TOO_LONG",
    _INVALID_LENGTH: "ESP_ERR_NVS_INVALID_LENGTH",
}

_file = None
_meter = None
_stored = {}  # namespace -> {key: (type, bytes)}


def setup(file, meter):
    global _file, _meter
    _file, _meter = file, meter
    for line in file.read().decode().split("\n"):
        if line:
            namespace, key, kind, content = line.split(" ")
            _put(_stored.setdefault(namespace, {}), key, kind, bytes.fromhex(content))


def _put(entries, key, kind, content):
    if kind == "-":
        entries.pop(key, None)
    else:
        entries[key] = (kind, content)


def _fail(code):
    raise OSError(-code, _NAMES[code])


def _check_name(name, code):
    if not name:
        _fail(_INVALID_NAME)
    if len(name) > _NAME_CHARACTERS:
        _fail(code)


class NVS:
    def __init__(self, namespace):
        _check_name(namespace, _KEY_TOO_LONG)
        self._namespace = namespace
        self._stored = _stored.setdefault(namespace, {})
        self._pending = {}

    def set_i32(self, key, value):
        if not -(1 << 31) <= value < 1 << 31:
            raise OverflowError("i32")  # the ESP32 keeps the low 32 bits without a word
        self._set(key, "i", (value & 0xFFFF_FFFF).to_bytes(4, "little"))

    def get_i32(self, key):
        value = int.from_bytes(self._get(key, "i"), "little")
        return value - (1 << 32) if value >> 31 else value

    def set_blob(self, key, value):
        self._set(key, "b", value.encode() if isinstance(value, str) else bytes(value))

    def get_blob(self, key, buf):
        content = self._get(key, "b")
        if len(content) > len(buf):
            _fail(_INVALID_LENGTH)
        buf[: len(content)] = content
        return len(content)

    def erase_key(self, key):
        if self._entry(key) is None:
            _fail(_NOT_FOUND)
        self._pending[key] = ("-", b"")

    def commit(self):
        for key in list(self._pending):
            kind, content = self._pending.pop(key)
            simctl.stats.nvs_writes += 1
            # An entry is old or new, never torn: NVS writes its state last (ESP-IDF, "NVS internals").
            how = _meter.step()
            if how != "torn":
                _file.write("%s %s %s %s\n" % (self._namespace, key, kind, content.hex()))
            if how:
                _meter.cut()
            _put(self._stored, key, kind, content)

    def _entry(self, key):
        entry = self._pending.get(key) or self._stored.get(key)
        return None if entry is None or entry[0] == "-" else entry

    def _set(self, key, kind, content):
        _check_name(key, _KEY_TOO_LONG)
        if self._entry(key) == (kind, content):
            return  # NVS compares first and leaves the flash alone
        others = sum(_size(each) for name, each in self._stored.items() if name != key)
        if others + _size((kind, content)) > _ENTRIES:
            _fail(_NOT_ENOUGH_SPACE)
        self._pending[key] = (kind, content)

    def _get(self, key, kind):
        _check_name(key, _KEY_TOO_LONG)
        entry = self._entry(key)
        if entry is None:
            _fail(_NOT_FOUND)
        if entry[0] != kind:
            _fail(_TYPE_MISMATCH)
        return entry[1]


def _size(entry):
    kind, content = entry
    return 1 if kind == "i" else 2 + (len(content) + 31) // 32
