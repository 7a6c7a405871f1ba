"""Numbers, amounts with units and lengths of time, as logs of many tools and locales write them."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Any

MAX_COUNT = 2**53
_NUMBER = re.compile(r"[-+]?(?:\d[\d,. ' ]*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
_MEBIBYTES = {
    "b": 2.0**-20, "kb": 1e3 / 2**20, "kib": 2.0**-10, "k": 2.0**-10, "mb": 1e6 / 2**20, "mib": 1.0,
    "m": 1.0, "gb": 1e9 / 2**20, "gib": 1024.0, "g": 1024.0, "tib": 2.0**20,
}  # fmt: skip
_DURATION = re.compile(r"(?:(\d+)(?:-| days?,? ))?(?:(\d+):)?(\d{1,2}):(\d\d(?:\.\d+)?)", re.ASCII)
_BAD = {"nan", "inf", "-inf", "+inf", "infinity", "-infinity"}


def real(value: Any) -> float | None:
    """Return a JSON number or a number in text as a finite float; None for anything else."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) > 300:
            return None
        found = float(value) if isinstance(value, int | float | Decimal) else _parsed(str(value))
    except (ValueError, OverflowError):
        return None
    return found if found is not None and math.isfinite(found) else None


def whole(value: Any) -> int | None:
    """Return a whole number from 0 that a record can hold; None for anything else."""
    found = real(value)
    if found is None or found != int(found) or not 0 <= found < MAX_COUNT:
        return None
    return int(found)


def is_bad_loss(value: Any) -> bool:
    """Say whether a value is NaN or infinite, as a number or as text."""
    return str(value).strip().casefold() in _BAD


def scaled(text: str) -> float | None:
    """Return a count such as ``124.44M`` or ``6.9B``; None when there is none."""
    body, suffix = text.strip(), ""
    if body[-1:].casefold() in _SUFFIXES:
        body, suffix = body[:-1], body[-1:].casefold()
    value = real(body)
    return None if value is None else value * _SUFFIXES.get(suffix, 1.0)


def names_count(text: str, count: int) -> bool | None:
    """Say whether a name such as ``7B`` or ``124M`` means a count, rounded up, down or to nearest.

    None for a text that is no count.
    """
    value, body = scaled(text), text.strip().rstrip("kKmMbBgGtT")
    if value is None:
        return None
    whole_part = scaled("1" + text.strip()[len(body) :]) or 1.0
    unit = whole_part * 10.0 ** -len(body.partition(".")[2])
    return abs(count - value) < unit * 1.0001


def rounds_to(text: str, value: float, most: float) -> bool:
    """Say whether a figure is a value rounded or cut off to the digits that it is written with.

    Zeros at the end of an integer with a suffix are no digits (110M is 11 of ten million).
    ``most`` is the largest share by which it may differ however few the digits are.
    """
    number, body = scaled(text), text.strip().rstrip("kKmMbBgGtT")
    if number is None or not re.fullmatch(r"\d+(?:\.\d+)?", body):
        return False
    suffix = text.strip()[len(body) :]
    decimals = len(body.partition(".")[2])
    zeros = len(body) - len(body.rstrip("0")) if suffix and "." not in body else 0
    unit = 10.0 ** (zeros - decimals) * (scaled("1" + suffix) or 1.0)
    fits = abs(value - number) <= unit / 2 or number <= value < number + unit
    return fits and abs(value - number) <= most * max(value, number)


def amount(text: str) -> tuple[float | None, str]:
    """Return the number at the start of a text and the unit after it; ``[N/A]`` has neither."""
    found = _NUMBER.match(text.strip())
    if found is None:
        return None, ""
    number = found.group().strip()
    return real(number), text.strip()[len(number) :].strip().casefold()


def mebibytes(text: str, unit: str = "mib") -> float | None:
    """Return an amount of memory in MiB; ``unit`` holds where the text names none."""
    number, named = amount(text)
    factor = _MEBIBYTES.get(named or unit.casefold())
    return None if number is None or factor is None or number < 0 else number * factor


def seconds(text: str) -> float | None:
    """Return ``D-HH:MM:SS``, ``2 days, 3:04:05``, ``MM:SS`` or a number of seconds; else None."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        value = real(text)
        return value if value is not None and value >= 0 else None
    days, hours, minutes, rest = found.groups()
    whole_days, whole_hours = float(days or 0) * 86400, float(hours or 0) * 3600
    found_seconds = whole_days + whole_hours + float(minutes) * 60 + float(rest)
    return found_seconds if math.isfinite(found_seconds) else None


def _parsed(text: str) -> float | None:
    """Return a number with ``1,234.5``, ``1.234,5``, ``1'234`` or ``23,5`` as its writer meant."""
    plain = re.sub(r"[\s' _]", "", text)
    if "," not in plain:
        return float(plain) if re.fullmatch(r"[-+.\deE]+", plain) else None
    if "." in plain:
        thousands, point = (",", ".") if plain.rfind(".") > plain.rfind(",") else (".", ",")
        return float(plain.replace(thousands, "").replace(point, "."))
    grouped = re.fullmatch(r"[-+]?\d{1,3}(,\d{3})+", plain)
    return float(plain.replace(",", "" if grouped else "."))
