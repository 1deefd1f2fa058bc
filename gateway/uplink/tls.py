"""TLS of an uplink: the context of one connection, and what went wrong as a sentence's second half.

Every file is read anew for each connection, so a renewed certificate or a rotated authority needs no restart.
TLS 1.2 or newer; the broker's certificate must be signed by `ca` and be made out to the host that was asked for.
"""

import ssl
from datetime import UTC, datetime
from pathlib import Path

from gateway.errors import TryAgain
from gateway.uplink.certificates import begins, days, ends
from gateway.uplink.settings import UplinkSettings

_NOT_YET_VALID, _EXPIRED = 9, 10  # X509_V_ERR_..., openssl's x509_vfy.h
_UNKNOWN_ISSUER = frozenset({2, 18, 19, 20, 21})


def context(settings: UplinkSettings, wall_ms: int) -> ssl.SSLContext:
    """The context of the next connection. Raises TryAgain with a sentence's second half."""
    if settings.cert is not None:
        _refuse_out_of_time(settings.cert, wall_ms)
    try:
        made = ssl.create_default_context(cafile=str(settings.ca) if settings.ca else None)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.sslsocket_class = _ClosingSocket
        if settings.cert is not None:
            made.load_cert_chain(settings.cert, settings.key)
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(str(file) for file in (settings.ca, settings.cert, settings.key) if file)
        raise TryAgain(f"its certificates ({files}) cannot be used: {error}") from error
    return made


def _refuse_out_of_time(cert: Path, wall_ms: int) -> None:
    """A broker that gets an expired certificate just hangs up; here it can be named."""
    since, until = begins(cert), ends(cert)
    if since is not None and days(since, wall_ms) > 0:
        raise TryAgain(f"our certificate {cert} is valid from {since:%Y-%m-%d} on: {_clock(wall_ms)}")
    if until is not None and days(until, wall_ms) <= 0:
        raise TryAgain(f"our certificate {cert} expired on {until:%Y-%m-%d}: put the renewed one in its place")


def reason(error: ssl.SSLError, settings: UplinkSettings, wall_ms: int) -> str:
    """What a technician can do about a failed handshake."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS failed: {error.reason or error}"
    said = f"the broker's certificate is not accepted: {error.verify_message}"
    if error.verify_code in (_NOT_YET_VALID, _EXPIRED):
        return f"{said}; {_clock(wall_ms)}"
    if error.verify_code in _UNKNOWN_ISSUER:
        where = f"into {settings.ca}" if settings.ca else "into a file and name it with ca"
        return f"{said}; if the authority was changed, put its new certificate {where}"
    return said


def _clock(wall_ms: int) -> str:
    now = datetime.fromtimestamp(wall_ms / 1000, tz=UTC)
    return f"this gateway's clock says {now:%Y-%m-%d %H:%M} UTC: if that is wrong, it is the clock"


class _ClosingSocket(ssl.SSLSocket):
    """paho leaves the socket of a failed handshake to the garbage collector; this one closes itself."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise
