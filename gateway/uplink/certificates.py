"""How long the certificates of an uplink still hold. It reads PEM files and changes none.

A renewed file is put in the place of the old one; the next connection uses it. So renewal needs no more than
to be told in time.
"""

from datetime import UTC, datetime
from pathlib import Path

DAY_S = 86400.0


def ends(file: Path) -> datetime | None:
    """When the certificate in `file` ends, for a bundle the last of them; None when it cannot be read."""
    from cryptography import x509  # 6 MB, which a gateway without certificates never needs

    try:
        found = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError):
        return None  # the connection that needs it says what is wrong
    return max((certificate.not_valid_after_utc for certificate in found), default=None)


def begins(file: Path) -> datetime | None:
    """From when on the first certificate in `file` is valid; None when it cannot be read."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_before_utc
    except (OSError, ValueError):
        return None


def days(until: datetime, wall_ms: int) -> float:
    """Days from `wall_ms` (Unix milliseconds) to `until`, one decimal; negative when it is over."""
    now = datetime.fromtimestamp(wall_ms / 1000, tz=UTC)
    return round((until - now).total_seconds() / DAY_S, 1)


def days_left(files: dict[str, Path | None], wall_ms: int) -> dict[str, float]:
    """Days left of each certificate that is there and can be read, by its key in the configuration."""
    left = {}
    for key, file in files.items():
        until = ends(file) if file is not None else None
        if until is not None:
            left[key] = days(until, wall_ms)
    return left


def grade(left: float) -> int | None:
    """The grade of the event for so many days: 3 (yellow) from 30 on, 2 (orange) from 7 on; None before."""
    if left > 30:
        return None
    return 3 if left > 7 else 2
