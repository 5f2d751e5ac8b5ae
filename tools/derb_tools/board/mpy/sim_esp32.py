"""`esp32` of the ESP32 port: NVS, wake sources, the two firmware slots, a few measurements."""

import sim_nvs
import sim_pin
import simpins

WAKEUP_ALL_LOW = False
WAKEUP_ANY_HIGH = True
HEAP_DATA = 4
HEAP_EXEC = 1

NVS = sim_nvs.NVS

_EXT0_WAKE = 2
_EXT1_WAKE = 3
_TIMER_WAKE = 4
_HEAP_REGIONS = ((7_288, 0, 0, 0), (116_252, 47_000, 45_056, 40_000), (113_840, 59_000, 57_344, 50_000))

wake_sources = None
_temp_c100 = None


class WakeSources:
    """Which pins end a sleep. Cleared by every reset, as on the chip."""

    def __init__(self, pins):
        self._pins = pins
        self.ext0 = None  # [gpio, level]
        self.ext1 = None  # [[gpio, ...], any_high]

    def first(self, street_us, sleep_us):
        """After how long a sleep of at most `sleep_us` from `street_us` ends, and why; None, None: never."""
        limit_us = street_us + (sleep_us or 3_600_000_000_000)
        best_us, cause = (None, None) if sleep_us is None else (limit_us, _TIMER_WAKE)
        for gpio, level, pin_cause in self._levels():
            us = self._pins.wakes_at(gpio, level, street_us, limit_us)
            if us is not None and (best_us is None or us < best_us):
                best_us, cause = us, pin_cause
        return (None if best_us is None else best_us - street_us), cause

    def _levels(self):
        if self.ext0:
            yield self.ext0[0], self.ext0[1], _EXT0_WAKE
        if self.ext1:
            for gpio in self.ext1[0]:
                yield gpio, int(self.ext1[1]), _EXT1_WAKE


def setup(pins, temp_c100):
    """`temp_c100`: callable, temperature of the chip."""
    global wake_sources, _temp_c100
    wake_sources = WakeSources(pins)
    _temp_c100 = temp_c100


def wake_on_ext0(pin=None, level=0):
    wake_sources.ext0 = None if pin is None else [_rtc_gpio(pin), 1 if level else 0]


def wake_on_ext1(pins=None, level=WAKEUP_ALL_LOW):
    # ALL_LOW with several pins wakes when every one is low; one pin is all that is simulated for that level.
    gpios = [_rtc_gpio(pin) for pin in pins or ()]
    if len(gpios) > 1 and not level:
        raise ValueError("several pins with WAKEUP_ALL_LOW are not simulated")
    wake_sources.ext1 = [gpios, bool(level)] if gpios else None


def _rtc_gpio(pin):
    gpio = sim_pin.gpio_of(pin)
    if gpio not in simpins.RTC_GPIOS:
        raise ValueError("invalid pin")
    return gpio


def gpio_deep_sleep_hold(enable):
    pass


def raw_temperature():
    """Degrees Fahrenheit inside the chip, here the air's; whole degrees, as the sensor has it."""
    return (_temp_c100() * 9 // 5 + 3200) // 100


def idf_heap_info(capabilities):
    return list(_HEAP_REGIONS)


class Partition:
    """The running slot only: enough to confirm a firmware. Update tests bring their own."""

    TYPE_APP = 0
    TYPE_DATA = 1
    BOOT = 0
    RUNNING = 1

    def __init__(self, id, block_size=4096):
        if id not in (self.BOOT, self.RUNNING, "factory"):
            raise OSError(-261, "ESP_ERR_NOT_FOUND")

    def info(self):
        return (self.TYPE_APP, 0, 0x10000, 0x1F0000, "factory", False)

    def get_next_update(self):
        raise OSError(-261, "ESP_ERR_NOT_FOUND")

    def set_boot(self):
        pass

    @staticmethod
    def mark_app_valid_cancel_rollback():
        pass
