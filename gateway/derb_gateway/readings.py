"""What a reading can be: the five kinds of docs/protocol.md as values, and what the gateway says of places. Pure."""

from dataclasses import dataclass

PARKING, LEVEL, HEALTH, ALARM, ANSWER = 1, 2, 3, 4, 5
PLACE = 16  # the gateway's own word on a place, so no kind that a frame has room for
KIND_NAMES = {
    PARKING: "parking",
    LEVEL: "level",
    HEALTH: "health",
    ALARM: "alarm",
    ANSWER: "answer",
    PLACE: "place",
}

PARKING_STATES = ("unknown", "free", "occupied")
LEVEL_STATUSES = {8188: "unstable", 8189: "too_close", 8190: "too_far", 8191: "no_echo"}
DISTANCE_MAX_MM = 8185
HEALTH_FIELDS = (
    "battery_mv",
    "rssi_dbm",
    "temp_c100",
    "reset_cause",
    "awake_ms",
    "queued",
    "shed",
    "send_failures",
    "heap_free",
    "flash_writes",
    "firmware_version",
    "config_version",
    "parking_state",
    "sensor_fault",
    "battery_load_mv",
    "sense_ms",
    "connect_ms",
    "exchange_ms",
    "connections_failed",
    "resets_watchdog",
    "resets_hard",
    "resets_soft",
    "downlinks_refused",
    "orders_stale",
    "config_refused",
    "slot",
    "update_version",
    "update_state",
    "update_kb_left",
    "safe_level",
    "wakes_failed",
    "failed_phase",
    "failed_cause",
)
ALARM_CODES = (
    "full",
    "collected",
    "fire",
    "tilt",
    "sensor_fault",
    "readings_shed",
    "config_refused",
    "config_returned",
    "update_returned",
)
ANSWER_RESULTS = ("done", "started", "failed", "expired", "refused")


@dataclass(frozen=True, slots=True)
class Parking:
    """State of a bay, how sure in percent, and how long the state before it lasted (None: not known)."""

    state: str
    confidence: int
    previous_state_s: int | None

    def to_json(self) -> dict[str, object]:
        """Return the fields of the upstream format."""
        return {
            "state": self.state,
            "confidence": self.confidence,
            "previous_state_s": self.previous_state_s,
        }


@dataclass(frozen=True, slots=True)
class Level:
    """Distance from the sensor to the surface in mm, None unless status is "ok"."""

    status: str
    distance_mm: int | None

    def to_json(self) -> dict[str, object]:
        """Return the fields of the upstream format; the fill level is the registry's matter."""
        return {"status": self.status, "distance_mm": self.distance_mm}


@dataclass(frozen=True, slots=True)
class Health:
    """Fields by name; one that this version does not know is kept under its number."""

    fields: tuple[tuple[str, int], ...]

    def to_json(self) -> dict[str, object]:
        """Return the fields of the upstream format."""
        return {"fields": dict(self.fields)}


@dataclass(frozen=True, slots=True)
class Alarm:
    """A code by name, or by number if this version does not know it, and its value."""

    alarm: str
    value: int

    def to_json(self) -> dict[str, object]:
        """Return the fields of the upstream format."""
        return {"alarm": self.alarm, "value": self.value}


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command, by its id; a result is a name, or a number that this version does not know."""

    command: int
    result: str
    value: int

    def to_json(self) -> dict[str, object]:
        """Return the fields of the upstream format."""
        return {"command": self.command, "result": self.result, "value": self.value}


Body = Parking | Level | Health | Alarm | Answer


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured value; `age_s` seconds old when its frame was transmitted."""

    sequence: int
    age_s: int
    body: Body


@dataclass(frozen=True, slots=True)
class Uplink:
    """A good frame: its readings, newest first. `age_is_bound`: the ages are lower bounds."""

    kind: int
    boot: int
    age_is_bound: bool
    readings: tuple[Reading, ...]

    @property
    def sequence(self) -> int:
        """Return the newest reading's sequence number."""
        return self.readings[0].sequence

    @property
    def oldest(self) -> int:
        """Return the oldest reading's sequence number."""
        return self.readings[-1].sequence

    def to_json(self) -> dict[str, object]:
        """Return what `derb decode` prints."""
        return {
            "kind": KIND_NAMES[self.kind],
            "boot": self.boot,
            "age_is_bound": self.age_is_bound,
            "readings": [{"seq": r.sequence, "age_s": r.age_s, **r.body.to_json()} for r in self.readings],
        }


def health_name(number: int) -> str:
    """Return the field's name, or its number as text."""
    return HEALTH_FIELDS[number - 1] if 1 <= number <= len(HEALTH_FIELDS) else str(number)


def alarm_name(code: int) -> str:
    """Return the code's name, or its number as text."""
    return ALARM_CODES[code - 1] if 1 <= code <= len(ALARM_CODES) else str(code)


def result_name(code: int) -> str:
    """Return the result's name, or its number as text."""
    return ANSWER_RESULTS[code - 1] if 1 <= code <= len(ANSWER_RESULTS) else str(code)
