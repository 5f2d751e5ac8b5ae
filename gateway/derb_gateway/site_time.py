"""Times as people of a site write them: local wall time, in TOML's own types or as text."""

from datetime import UTC, date, datetime, time, timedelta
from datetime import timezone as fixed_timezone
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator

_YEARS = range(2000, 2200)
DEFAULT_TIMEZONE = "Africa/Casablanca"  # its offset moves at Ramadan: never a number here


def _timezone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"is no time zone: write it as {DEFAULT_TIMEZONE}"
        raise ValueError(msg) from None
    return name


def parse_moment(value: object) -> datetime | time:
    """Return a moment or a time of day; ValueError that shows how one is written."""
    if isinstance(value, str):
        value = _from_text(value)
    if isinstance(value, time):
        return value.replace(microsecond=0)
    if isinstance(value, date) and value.year not in _YEARS:
        msg = f"is in a year that cannot be meant: {_YEARS[0]} to {_YEARS[-1]}"
        raise ValueError(msg)
    if isinstance(value, datetime):
        return value.replace(microsecond=0)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - local time is meant
    raise ValueError("is no time: write 2026-12-01T08:00:00, or 08:00:00 with weekly")


def _from_text(text: str) -> datetime | time | None:
    for parse in (time.fromisoformat, datetime.fromisoformat):
        try:
            return parse(text)
        except ValueError:
            continue
    return None


def _instant(value: object) -> datetime:
    moment = parse_moment(value)
    if isinstance(moment, datetime):
        return moment
    raise ValueError("needs a date: write 2026-12-01T08:00:00, or 2026-12-01T07:00:00Z for UTC")


TimeZoneName = Annotated[str, AfterValidator(_timezone)]
Moment = Annotated[datetime | time, BeforeValidator(parse_moment)]
Instant = Annotated[datetime, BeforeValidator(_instant)]


def unix_ms(moment: datetime, timezone: str) -> int:
    """Return Unix milliseconds of a moment; one that names no offset is local time."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    return int(moment.timestamp()) * 1000


def local(at_ms: int, timezone: str) -> datetime:
    """Return a moment as local time, with its offset."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(ZoneInfo(timezone))
    return moment.replace(tzinfo=fixed_timezone(moment.utcoffset() or timedelta()))
