"""The settings of one uplink as its adapters need them: plain, frozen, already validated."""

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from gateway.errors import ConfigurationError

SESSION_S = 24 * 3600
_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}


class Endpoint(msgspec.Struct, frozen=True):
    """A broker's URL taken apart. `path` is that of a websocket."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def tls(self) -> bool:
        return self.scheme in ("mqtts", "wss")

    @property
    def websocket(self) -> bool:
        return self.scheme in ("ws", "wss")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def endpoint(url: str) -> Endpoint:
    """Raises ConfigurationError for anything that is no mqtt, mqtts, ws or wss URL, or that holds a secret."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"{url!r} is no broker URL: {error}.") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ConfigurationError(
            f"{url!r} is no broker URL: write mqtt://HOST:PORT, or mqtts, ws or wss in place of mqtt."
        )
    if parts.username or parts.password:
        raise ConfigurationError(
            "A broker URL holds no user name and no password: use username and password_file beside it."
        )
    return Endpoint(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], parts.path or "/mqtt")


class Way(msgspec.Struct, frozen=True):
    """One way to the level above: a broker, and the network interface or own address to reach it through."""

    url: str
    source: str | None = None


class Waits(msgspec.Struct, frozen=True):
    """The longest waits of the back-off, in seconds: before the first retry, in the first ten minutes, later."""

    first: float = 1.0
    early: float = 15.0
    late: float = 120.0


class UplinkSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One `[[uplink]]` of gewu.toml with the identity of its gateway."""

    name: str
    site: str
    gateway: str
    url: str
    format: str = "gewu"
    encoding: str = "json"
    max_delay: float = 2.0  # seconds that a reading may wait to share a message
    language: str = "zh"  # of names that people read: zh or en
    primary_host: str | None = None  # Sparkplug: the host without which nothing is sent
    acks: bool = False
    trust_time: bool = False  # the time in acknowledgements is believed without TLS too
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    username: str | None = None
    password_file: Path | None = None
    window: int = 16  # publications without a PUBACK
    reserved: int = 2  # of them kept free for events
    unacknowledged: int = 64  # with acks: messages without the receiver's acknowledgement
    ack_timeout: float = 5.0  # seconds without progress before the unacknowledged are sent again
    keepalive: int = 20  # seconds; a broker that vanished is missed within 1.5 of it
    mqtt: str = "auto"  # or "5", "3.1.1"
    source: str | None = None  # network interface or own address of the first way
    fallback: Way | None = None
    waits: Waits = Waits()
    max_bytes_per_second: int | None = None
    max_bytes_per_month: int | None = None
    connect_timeout: float = 10.0  # seconds

    @property
    def session(self) -> int:
        """Seconds for which the broker shall keep what comes down while we are away."""
        return SESSION_S if self.format == "gewu" else 0  # Sparkplug asks for clean sessions, the others have no inbox

    @property
    def tells_time(self) -> bool:
        """Whether the time in acknowledgements is believed: whoever reads or writes on the way could make it up."""
        ways = [self.url, *([self.fallback.url] if self.fallback else [])]
        return self.trust_time or all(endpoint(url).tls for url in ways)

    @property
    def client_id(self) -> str:
        return f"gewu-{self.site}-{self.gateway}-{self.name}"
