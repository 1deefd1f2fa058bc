"""`[[uplink]]`: who gets the records."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from gateway.config.keys import Id
from gateway.tomlfile import Section

UPLINK_SCHEMES = ("mqtt", "mqtts", "ws", "wss")
_SECRET = "secrets do not belong in this file; write it alone into a file and name that file with password_file"


def _later(what: str) -> ValueError:
    return ValueError(f"{what} is not in this version yet")


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


def _format(value: str) -> str:
    if value != "gewu":
        raise _later(f"the format {value}")
    return value


def _encoding(value: str) -> str:
    if value == "compact":
        raise _later("the compact encoding")
    return value


class Uplink(Section):
    """`[[uplink]]`: one broker that gets the records."""

    HINTS: ClassVar[dict[str, str]] = {"password": _SECRET}

    name: Id = Field(description="the uplink's name, in letters, digits, '_', '.' and '-'; uplink1, uplink2 by default")
    url: Annotated[str, AfterValidator(_url)] = Field(description='the broker, such as "mqtts://broker:8883"')
    format: Annotated[Literal["gewu", "sparkplug", "thingsboard", "homeassistant"], AfterValidator(_format)] = Field(
        "gewu", description='"gewu", "sparkplug", "thingsboard" or "homeassistant"'
    )
    encoding: Annotated[Literal["json", "compact"], AfterValidator(_encoding)] = Field(
        "json", description='"json" or "compact"'
    )
    max_delay: float = Field(2.0, ge=0, le=3600, description="seconds that a reading may wait to share a message")
    acks: bool = Field(False, description="true keeps records until a receiver acknowledges them")
    ca: Path | None = Field(None, strict=False, description="the file of the CA's certificate (PEM)")
    cert: Path | None = Field(None, strict=False, description="the file of this gateway's certificate (PEM)")
    key: Path | None = Field(None, strict=False, description="the file of this gateway's private key (PEM)")
    username: str | None = Field(None, min_length=1, description="the user name at the broker")
    password_file: Path | None = Field(
        None, strict=False, description="the file that holds the password and nothing else"
    )
