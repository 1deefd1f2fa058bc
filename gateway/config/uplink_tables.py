"""`[[uplink]]`: who gets the records."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from gateway.config.keys import Duration, Id, Size
from gateway.tomlfile import Section

UPLINK_SCHEMES = ("mqtt", "mqtts", "ws", "wss")
_SECRET = "secrets do not belong in this file; write it alone into a file and name that file with password_file"


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ValueError('its port must be a number of 1 to 65535, such as "mqtts://broker:8883"') from None
    if parts.scheme not in UPLINK_SCHEMES:
        raise ValueError('an uplink begins with mqtt://, mqtts://, ws:// or wss://, such as "mqtts://broker:8883"')
    if not parts.hostname or port == 0:
        raise ValueError('it needs a host, such as "mqtts://broker:8883"')
    if "@" in parts.netloc:
        raise ValueError("a user or password does not belong in the URL; use username and password_file")
    return value


Url = Annotated[str, AfterValidator(_url)]
Source = Annotated[str, Field(pattern=r"^[\w.:-]{1,45}$")]


class Filter(Section):
    """`[uplink.filter]`: which records this uplink gets; a key that is absent lets everything through."""

    devices: list[str] = Field([], description="ids of devices, as in [[bus.device]]")
    kinds: list[Literal["readings", "events", "cases"]] = Field(
        [], description='streams: "readings", "events", "cases"'
    )
    grades: list[Annotated[int, Field(ge=1, le=4)]] = Field([], description="grades of events, 1 (red) to 4 (blue)")
    places: list[str] = Field([], description='heads of places in whole levels, such as "street/community"')
    names: list[str] = Field([], description='names of values in readings, such as "voltage"')


class Fallback(Section):
    """`[uplink.fallback]`: a second way to the level above, taken while the first is gone."""

    url: Url | None = Field(None, description="another broker; by default the same one")
    source: Source | None = Field(None, description='the network interface or own address to use, such as "wwan0"')


class BackOff(Section):
    """`[uplink.backoff]`: the waits between attempts; each is half fixed and half chance."""

    first: Duration = Field(1.0, ge=0.1, le=1, description='the longest wait before the first retry, such as "1s"')
    early: Duration = Field(15.0, ge=1, le=15, description="the longest wait in the first ten minutes of an outage")
    late: Duration = Field(120.0, ge=1, le=120, description="the longest wait after that")


class Uplink(Section):
    """`[[uplink]]`: one broker that gets the records."""

    HINTS: ClassVar[dict[str, str]] = {"password": _SECRET}

    name: Id = Field(description="the uplink's name, in letters, digits, '_', '.' and '-'; uplink1, uplink2 by default")
    url: Url = Field(description='the broker, such as "mqtts://broker:8883"')
    format: Literal["gewu", "sparkplug", "thingsboard", "homeassistant"] = Field(
        "gewu", description='"gewu", "sparkplug", "thingsboard" or "homeassistant"'
    )
    encoding: Literal["json", "compact"] = Field("json", description='"json" or "compact"')
    language: Literal["zh", "en"] = Field(
        "zh", description='"zh" or "en": the language of names that people read in Home Assistant'
    )
    primary_host: Annotated[str, Field(pattern=r"^[^/+#\s]+$", max_length=63)] | None = Field(
        None, description="Sparkplug: the id of the host application without which nothing is sent"
    )
    max_delay: float = Field(2.0, ge=0, le=3600, description="seconds that a reading may wait to share a message")
    acks: bool = Field(False, description="true keeps records until a receiver acknowledges them")
    trust_time: bool = Field(
        False,
        description="true believes the time that acknowledgements bring without TLS too, on a machine without one",
    )
    ca: Path | None = Field(None, strict=False, description="the file of the CA's certificate (PEM)")
    cert: Path | None = Field(None, strict=False, description="the file of this gateway's certificate (PEM)")
    key: Path | None = Field(None, strict=False, description="the file of this gateway's private key (PEM)")
    username: str | None = Field(None, min_length=1, description="the user name at the broker")
    password_file: Path | None = Field(
        None, strict=False, description="the file that holds the password and nothing else"
    )
    filter: Filter | None = Field(None, description="the table [uplink.filter]")
    max_bytes_per_second: Size | None = Field(
        None, ge=100, description='the most that is sent in a second, alarms aside, such as "2kB"'
    )
    max_bytes_per_month: Size | None = Field(
        None, ge=10**5, description='the most that is sent in a calendar month, alarms aside, such as "500MB"'
    )
    source: Source | None = Field(None, description='the network interface or own address to use, such as "eth0"')
    fallback: Fallback | None = Field(None, description="the table [uplink.fallback]")
    backoff: BackOff = Field(
        default_factory=lambda: BackOff.model_validate({}), description="the table [uplink.backoff]"
    )
    keepalive: Duration = Field(20.0, ge=5, le=3600, description="an absent broker is noticed within 1.5 times this")
    window: int = Field(16, ge=1, le=1000, description="publications that may wait for the broker's confirmation")
    mqtt: Literal["auto", "5", "3.1.1"] = Field("auto", description='"auto" tries 5 first, or "5", or "3.1.1"')
