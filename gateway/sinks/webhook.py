"""A webhook: batches of messages as one JSON document by POST, signed where there is a secret.

A 2xx answer means that they are safe there. It follows no redirect, reads no more than the head of an answer, and
never writes the secret, or more of the URL than its host, into a log.
"""

import hashlib
import hmac
import http.client
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from gateway.clock import Clock
from gateway.errors import TryAgain
from gateway.records import Message
from gateway.sinks.target import NotNow, Unwanted
from gateway.uplink import native

SIGNATURE, TIMESTAMP = "X-Gewu-Signature", "X-Gewu-Timestamp"
# These speak of the address, the secret or the moment, and not of what was sent: setting messages aside would lose
# them for a mistake that a person corrects.
_ABOUT_THE_WAY = {401, 403, 404, 405, 407, 408, 421, 425, 429}
_MOST_PATIENCE_S = 3600.0
_MOST_ANSWER = 4096


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`timeout` in seconds for each answer; `secret_file` holds the key of the signature and nothing else."""

    name: str
    site: str
    gateway: str
    url: str
    version: str
    secret_file: Path | None = None
    ca: Path | None = None
    timeout: float = 10.0


class Webhook:
    """See `gateway.sinks.target.Target`. Repeats are told apart by (epoch, seq) of each message."""

    def __init__(self, settings: WebhookSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        parts = urlsplit(settings.url)
        self._host, self._port, self._tls = parts.hostname or "", parts.port, parts.scheme == "https"
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._shown = f"{parts.scheme}://{parts.netloc}"
        self._connection: http.client.HTTPConnection | None = None

    def write(self, messages: Sequence[Message]) -> None:
        """Post them; returns on a 2xx answer. Raises NotNow, TryAgain and Unwanted."""
        body = document(self._settings.site, self._settings.gateway, messages)
        try:
            code, reason, wait = self._post(body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise TryAgain(self._sentence(_reason(error))) from error
        if 200 <= code < 300:
            return
        said = self._sentence(f"it answered {code} {reason}".rstrip())
        if 400 <= code < 500 and code not in _ABOUT_THE_WAY:
            raise Unwanted(said)
        if wait is not None:
            raise NotNow(said, wait)
        raise TryAgain(said)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, body: bytes) -> tuple[int, str, float | None]:
        headers = self._headers(body)
        if self._connection is not None:
            try:
                return self._exchange(self._connection, body, headers)
            except (http.client.RemoteDisconnected, ConnectionError, http.client.CannotSendRequest):
                self.close()  # a kept connection may have grown too old; a new one decides
        self._connection = self._new()
        return self._exchange(self._connection, body, headers)

    def _exchange(
        self, connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]
    ) -> tuple[int, str, float | None]:
        connection.request("POST", self._path, body, headers)
        answer = connection.getresponse()
        answer.read(_MOST_ANSWER)
        if not answer.isclosed():
            self.close()  # more than we care to read
        return answer.status, answer.reason, _seconds(answer.getheader("Retry-After"))

    def _new(self) -> http.client.HTTPConnection:
        timeout = self._settings.timeout
        if not self._tls:
            return http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        context = ssl.create_default_context(cafile=str(self._settings.ca) if self._settings.ca else None)
        return http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=context)

    def _headers(self, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "User-Agent": f"gewu-edge/{self._settings.version}"}
        if self._settings.secret_file is None:
            return headers
        try:
            # Read anew each time, so that a changed secret needs no restart.
            secret = self._settings.secret_file.read_bytes().strip()
        except OSError as error:
            file = self._settings.secret_file
            raise TryAgain(self._sentence(f"secret_file {file} cannot be read: {error.strerror}")) from error
        stamp = str(self._clock.wall_ms())
        return headers | {TIMESTAMP: stamp, SIGNATURE: signature(secret, stamp, body)}

    def _sentence(self, why: str) -> str:
        return f"Sink {self._settings.name} to {self._shown}: {why}."


def document(site: str, gateway: str, messages: Sequence[Message]) -> bytes:
    """What is posted: who sends it, and each message with its kind and its content as in the native format."""
    told = [
        {"kind": kind, "content": msgspec.Raw(payload)} for kind, payload in (native.encode(one) for one in messages)
    ]
    return msgspec.json.encode({"site": site, "gateway": gateway, "messages": told})


def signature(secret: bytes, stamp: str, body: bytes) -> str:
    """`sha256=` and the hexadecimal HMAC-SHA256 over stamp, a point and body; `stamp` is Unix milliseconds."""
    return "sha256=" + hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _seconds(header: str | None) -> float | None:
    """Retry-After in seconds, bounded; its form as a date is not read."""
    return min(float(header), _MOST_PATIENCE_S) if header is not None and header.strip().isdigit() else None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: nobody listens there"
    if isinstance(error, socket.gaierror):
        return "the host name is not known"
    return f"no connection: {error or type(error).__name__}"
