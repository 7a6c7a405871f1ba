"""Points in time as logs write them, and how exactly each is known.

Source: RFC 3339; the zones of the world lie between UTC-12 and UTC+14 (IANA time zone database).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_WEST, _EAST = timedelta(hours=12), timedelta(hours=14)
# 2001 to 2096, in seconds: anything else that is a plain number is no time of a training job.
_EPOCHS = ((1.0, 1e9, 4e9), (1e3, 1e12, 4e12), (1e6, 1e15, 4e15), (1e9, 1e18, 4e18))
_CLOCK = r"(?P<H>\d{1,2}):(?P<M>\d\d):(?P<S>\d\d)(?:[.,](?P<f>\d{1,9}))?"
_ZONE = r"\s*(?P<z>Z|UTC|GMT|[+-]\d\d:?\d\d)?"
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_PATTERNS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"(?P<Y>\d{{4}})[-/](?P<m>\d\d?)[-/](?P<d>\d\d?)[T ]+{_CLOCK}{_ZONE}",
        rf"(?P<Y>\d{{4}})(?P<m>\d\d)(?P<d>\d\d)[T ]+{_CLOCK}{_ZONE}",
        rf"(?P<d>\d\d?)\.(?P<m>\d\d?)\.(?P<Y>\d{{4}})[T, ]+{_CLOCK}{_ZONE}",
        rf"(?P<a>\d\d?)[/-](?P<b>\d\d?)[/-](?P<Y>\d{{4}})[T, ]+{_CLOCK}{_ZONE}",
        rf"(?:\w{{3}},? )?(?P<B>{'|'.join(_MONTHS)}) +(?P<d>\d\d?) {_CLOCK} (?:(?P<z>UTC|GMT) )?"
        r"(?P<Y>\d{4})",
        rf"(?:\w{{3}},? )?(?P<d>\d\d?) (?P<B>{'|'.join(_MONTHS)}) (?P<Y>\d{{4}}) {_CLOCK}{_ZONE}",
    )
)


def find_moment(text: str) -> str | None:
    """Return the first point in time that a text begins with, as RFC 3339; None without one.

    UTC with a Z where a zone is named, as written and without a Z where none is.
    """
    for pattern in _PATTERNS:
        if found := pattern.match(text.lstrip(" \t[(")):
            return _written(found.groupdict())
    return None


def moment(value: object) -> str | None:
    """Return a text or a number of seconds (or ms, µs, ns) since 1970 as RFC 3339; else None."""
    text = str(value).strip()
    if re.fullmatch(r"\d{9,19}(\.\d+)?", text, re.ASCII):
        return from_epoch(float(text))
    return find_moment(text)


def from_epoch(value: float) -> str | None:
    """Return seconds, milli-, micro- or nanoseconds since 1970 as RFC 3339, by their size."""
    for scale, low, high in _EPOCHS:
        if low <= value < high:
            when = datetime.fromtimestamp(value / scale, UTC)
            return _text(when)
    return None


def earliest(text: str) -> datetime:
    """Return the earliest instant that a written moment can mean."""
    return _utc(text) - (timedelta() if text.endswith("Z") else _EAST)


def latest(text: str) -> datetime:
    """Return the latest instant that a written moment can mean."""
    return _utc(text) + (timedelta() if text.endswith("Z") else _WEST)


def surely_before(one: str, other: str) -> bool:
    """Say whether one moment lies before another, whatever zones they were written in.

    Two moments without a zone are compared as if they were of one zone only by ``seconds_between``.
    """
    return latest(one) < earliest(other)


def seconds_between(start: str, end: str) -> float | None:
    """Return the seconds from start to end of one log; None if only one of them names a zone."""
    if start.endswith("Z") != end.endswith("Z"):
        return None
    return (_utc(end) - _utc(start)).total_seconds()


def clocks_changed(moment: str, difference: float) -> bool:
    """Say whether a difference in seconds is the hour of summer time, of a time without a zone."""
    return not moment.endswith("Z") and abs(abs(difference) - 3600.0) <= 2.0


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)


def _written(part: dict[str, str | None]) -> str | None:
    month, day = _month_and_day(part)
    micro = (part.get("f") or "0")[:6].ljust(6, "0")
    try:
        when = datetime(
            int(part["Y"] or 0), month, day, int(part["H"] or 0), int(part["M"] or 0),
            min(int(part["S"] or 0), 59), int(micro), tzinfo=UTC,
        )  # fmt: skip
        zone = part.get("z")
        if zone is None:
            return _text(when).removesuffix("Z")
        return _text(when.replace(tzinfo=_offset(zone)).astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def _month_and_day(part: dict[str, str | None]) -> tuple[int, int]:
    if name := part.get("B"):
        return _MONTHS.index(name) + 1, int(part["d"] or 0)
    if part.get("a") is None:
        return int(part["m"] or 0), int(part["d"] or 0)
    # Python's loggers of machine learning write month/day; only a first part above 12 is a day.
    one, other = int(part["a"] or 0), int(part["b"] or 0)
    return (other, one) if one > 12 else (one, other)


def _offset(zone: str) -> timezone:
    if zone in {"Z", "UTC", "GMT"}:
        return UTC
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    span = timedelta(hours=hours, minutes=minutes)
    return timezone(-span if zone[0] == "-" else span)


def _text(when: datetime) -> str:
    spec = "microseconds" if when.microsecond else "seconds"
    return when.replace(tzinfo=None).isoformat(timespec=spec) + "Z"
