"""What makes the next connection shorter, kept in RTC memory: an address lease, the broker's address, the best access point.

Nothing here is needed. After one failure all of it is forgotten, so a wrong memory costs one attempt and locks nobody out.
"""

import binascii
import struct

from derb.kept import WAY_SIZE as SIZE

_FORMAT = (
    "<16sI4s6sIBI"  # lease, since when, broker, access point, last look for access points, session, of what
)
_NONE = bytes(16)


class Remembered:
    """`now_s` is the node's own time in seconds, by which leases grow old; `names` are those of network and broker."""

    def __init__(self, saved, now_s, lease_s, names=()):
        """`saved`: what `dumps` returned, or anything else for nothing."""
        self._now_s = now_s
        self._lease_s = lease_s
        if len(saved) != SIZE:
            saved = bytes(SIZE)
        self._lease, self._since_s, self._broker, self._bssid, self.looked_s, self.session, names_were = (
            struct.unpack(_FORMAT, saved)
        )
        self._names = binascii.crc32(repr(names).encode()) & 0xFFFFFFFF
        if names_were != self._names:
            self.looked_s = 0
            self.forget()

    def dumps(self):
        """Return what must be remembered in sleep."""
        return struct.pack(
            _FORMAT,
            self._lease,
            self._since_s,
            self._broker,
            self._bssid,
            self.looked_s,
            self.session,
            self._names,
        )

    def forget(self):
        """After a failure: nothing is trusted any more."""
        self._lease = _NONE
        self._broker = bytes(4)
        self._bssid = bytes(6)
        self.session = 0

    @property
    def lease(self):
        """(address, mask, router, name server) as network.WLAN.ifconfig takes them, or None."""
        age_s = self._now_s() - self._since_s
        if self._lease == _NONE or not 0 <= age_s < self._lease_s:
            return None
        return tuple(_text(self._lease[at : at + 4]) for at in (0, 4, 8, 12))

    def keep_lease(self, addresses):
        """Remember what DHCP gave just now."""
        self._lease = b"".join(_packed(address) for address in addresses)
        self._since_s = self._now_s()

    @property
    def broker(self):
        """The broker's address, or None."""
        return _text(self._broker) if self._broker != bytes(4) else None

    @broker.setter
    def broker(self, address):
        self._broker = _packed(address)

    @property
    def bssid(self):
        """The access point to ask for, or None for any."""
        return self._bssid if self._bssid != bytes(6) else None

    @bssid.setter
    def bssid(self, bssid):
        self._bssid = bytes(bssid)


def _text(packed):
    return ".".join(str(byte) for byte in packed)


def _packed(address):
    # What is no address is remembered as none.
    parts = address.split(".")
    if len(parts) != 4 or not all(part.isdigit() and int(part) < 256 for part in parts):
        return bytes(4)
    return bytes(int(part) for part in parts)
