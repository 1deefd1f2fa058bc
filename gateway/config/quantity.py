"""Sizes and durations as people write them: "2GB", "1h". Pure."""

import re

_SIZES = {"": 1, "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZES |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_DURATIONS = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(value: object) -> object:
    """Bytes of "2GB", "500 MB", "1GiB" or a whole number. Raises ValueError with a sentence's second half.

    What is neither text nor number passes through, for the model to refuse.
    """
    if not isinstance(value, str):
        return value
    number, unit = _split(value)
    if number is None or unit not in _SIZES:
        raise ValueError('a size is a number with a unit, such as "500MB", "2GB" or "1GiB"')
    return int(number * _SIZES[unit])


def parse_duration(value: object) -> object:
    """Seconds of "90s", "15min", "1h", "7d" or a number of seconds; as `parse_size`."""
    if not isinstance(value, str):
        return value
    number, unit = _split(value)
    if number is None or unit not in _DURATIONS:
        raise ValueError('a duration is a number with a unit, such as "30s", "15min", "1h" or "7d"')
    return number * _DURATIONS[unit]


def _split(text: str) -> tuple[float | None, str]:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    return (float(match[1]), match[2]) if match else (None, "")
