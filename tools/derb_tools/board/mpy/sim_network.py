"""`network` of the ESP32 port: a station whose access point may be near, away, or want another password."""

import simctl

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_BEACON_TIMEOUT = 200
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_ASSOC_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204
AUTH_WPA2_PSK = 3

_NO_AP_MS = 2500  # a whole scan of all channels
_WRONG_PASSWORD_MS = 3200
_BEACON_TIMEOUT_MS = 6000
_START_MS = 60
_SCAN_MS = 1800
_NO_ADDRESS = ("0.0.0.0", "255.255.255.0", "0.0.0.0", "0.0.0.0")
_ADDRESS = ("10.77.0.100", "255.255.255.0", "10.77.0.1", "10.77.0.1")

_clock = None
_site = {}
_node_id = b""


def setup(clock, site, node_id):
    """`site`: ssid, psk, channel, rssi_dbm, ap_up, ap_down_after_ms, associate_ms, dhcp_ms."""
    global _clock, _site, _node_id
    _clock, _site, _node_id = clock, site, node_id


class _Station:
    """The radio's state, worked out from the time at which it was told what."""

    def __init__(self):
        self.active = False
        self.requested_us = None
        self.lost_us = None
        self.reason = 0
        self.credentials = None
        self.reconnects = -1
        self.static = None
        self.counted = False
        self.channel = 1  # where the radio is while it has no access point

    def attempt(self):
        """(reason or 0, length of an attempt in ms) with the present credentials at the present place."""
        ssid, psk, bssid = self.credentials
        if not _ap_is_up(self.requested_us) or ssid != _site["ssid"] or bssid not in (None, _bssid()):
            return STAT_NO_AP_FOUND, _NO_AP_MS
        if psk != _site["psk"]:
            return STAT_WRONG_PASSWORD, _WRONG_PASSWORD_MS
        return 0, _site["associate_ms"] + (0 if self.static else _site["dhcp_ms"])

    def connected(self):
        us = _clock.now_us()
        if not self.active or self.requested_us is None:
            return False
        reason, ms = self.attempt()
        if reason or us < self.requested_us + ms * 1000:
            return False
        if not self.counted:
            self.counted = True
            simctl.stats.wifi_connects += 1
        down_ms = _site["ap_down_after_ms"]
        if down_ms is not None and us >= (down_ms + _BEACON_TIMEOUT_MS) * 1000:
            self.reason = STAT_BEACON_TIMEOUT
            return False
        return True

    def status(self):
        if self.connected():
            return STAT_GOT_IP
        if not self.active or self.requested_us is None:
            return self.reason or STAT_IDLE
        reason, ms = self.attempt()
        tries = (_clock.now_us() - self.requested_us) // (ms * 1000)
        if not reason or self.reconnects < 0 or tries <= self.reconnects:
            return STAT_CONNECTING  # with unlimited reconnects, the default, an error is never seen
        self.reason = reason
        return reason


_station = _Station()


def _ap_is_up(us):
    down_ms = _site["ap_down_after_ms"]
    return _site["ap_up"] and (down_ms is None or us < down_ms * 1000)


def _bssid():
    return bytes((2, 0xDE, 0x2B, 0, 0, _site["channel"]))


def radio_is_on():
    return _station.active


def channel():
    """Where the radio is: the access point decides while there is one."""
    return _site["channel"] if _station.requested_us is not None else _station.channel


def radio_off_in_light_sleep():
    if _station.requested_us is not None:
        _station.requested_us = None
        _station.reason = STAT_BEACON_TIMEOUT


def online():
    """Whether packets get through just now."""
    return _station.connected() and _ap_is_up(_clock.raw_us())


def connected():
    return _station.connected()


class WLAN:
    IF_STA = STA_IF
    IF_AP = AP_IF
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2
    SEC_WPA2 = 3

    def __init__(self, interface=STA_IF):
        if interface != STA_IF:
            raise ValueError("only the station interface is simulated")

    def active(self, on=None):
        if on is None:
            return _station.active
        if bool(on) != _station.active:
            _clock.charge(_START_MS * 1000)
            _clock.now_us()
            _count_radio(bool(on))
            _station.active = bool(on)
            _station.requested_us = None
            _station.reason = 0
        return _station.active

    def connect(self, ssid=None, key=None, *, bssid=None):
        self._must_be_active()
        if _station.requested_us is not None and not _station.connected():
            raise OSError("Wifi Internal State Error")
        if ssid is not None:
            ssid = ssid.decode() if isinstance(ssid, bytes) else ssid
            key = key.decode() if isinstance(key, bytes) else key
            _station.credentials = (ssid, key or "", bssid)
        if _station.credentials is None:
            raise OSError("Wifi SSID Invalid")
        _station.requested_us = _clock.now_us()
        _station.counted = False

    def disconnect(self):
        self._must_be_active()
        _station.requested_us = None

    def isconnected(self):
        return _station.connected()

    def status(self, param=None):
        if param is None:
            return _station.status()
        if param == "rssi":
            self._must_be_connected()
            return _site["rssi_dbm"]
        raise ValueError("unknown status param")

    def ifconfig(self, addresses=None):
        if addresses is None:
            return (_station.static or _ADDRESS) if _station.connected() else _NO_ADDRESS
        _station.static = None if addresses == "dhcp" else tuple(addresses)

    def scan(self):
        self._must_be_active()
        _clock.sleep(_SCAN_MS * 1000)
        if not _ap_is_up(_clock.raw_us()):
            return []
        return [(_site["ssid"].encode(), _bssid(), _site["channel"], _site["rssi_dbm"], AUTH_WPA2_PSK, False)]

    def config(self, name=None, **settings):
        if name is not None:
            return self._read_config(name)
        for key, value in settings.items():
            if key == "reconnects":
                _station.reconnects = value
            elif key == "channel":
                self._tune(value)
            elif key not in ("pm", "txpower", "hostname", "dhcp_hostname", "protocol"):
                raise ValueError("unknown config param")

    def _tune(self, number):
        self._must_be_active()
        if not 1 <= number <= 13:
            raise OSError("Wifi Invalid Argument")
        if _station.requested_us is None:  # to an access point it has no effect
            _station.channel = number

    def _read_config(self, name):
        if name == "mac":
            return _node_id
        if name == "reconnects":
            return _station.reconnects
        if name in ("ssid", "essid"):
            return _station.credentials[0] if _station.credentials else ""
        if name == "channel":
            return channel()
        raise ValueError("unknown config param")

    def _must_be_active(self):
        if not _station.active:
            raise OSError("Wifi Not Started")

    def _must_be_connected(self):
        if not _station.connected():
            raise OSError("Wifi Not Connected")


def _count_radio(on):
    us = _clock.raw_us()
    if on:
        simctl.stats.wifi_since_us = us
    else:
        simctl.stats.wifi_on_us += us - simctl.stats.wifi_since_us
        simctl.stats.wifi_since_us = None


_hostname = "mpy-esp32"


def hostname(name=None):
    global _hostname
    if name is None:
        return _hostname
    _hostname = name


def country(code=None):
    return "XX"
