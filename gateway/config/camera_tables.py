"""`[[camera]]`, `[[patrol]]` and `[vision]`: what is looked at, with the purpose that the law asks for."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from gateway.config import hours
from gateway.config.keys import Duration, Id, Size
from gateway.tomlfile import Section

SOURCE_SCHEMES = ("rtsp", "rtsps", "http", "https", "dir", "file", "picamera")
_SECRET = "secrets do not belong in this file; write it alone into a file and name that file with password_file"
_DAY_S = 86400.0

Share = Annotated[float, Field(ge=0, le=1)]
Corner = Annotated[list[Share], Field(min_length=2, max_length=2)]
Polygon = Annotated[list[Corner], Field(min_length=3)]


def _source(value: str) -> str:
    scheme, separator, rest = value.partition(":")
    if value.startswith("/dev/"):
        return value
    if not separator or scheme not in SOURCE_SCHEMES or not rest:
        raise ValueError(
            'a source is "rtsp://...", "http://.../snapshot.jpg", "/dev/video0", "dir:FOLDER", "file:FILE" or '
            '"picamera:0"'
        )
    if scheme in ("rtsp", "rtsps", "http", "https"):
        _url(value)
    return value


def _url(value: str) -> None:
    try:
        parts = urlsplit(value)
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        host = None
    if not host:
        raise ValueError('it needs a host, such as "rtsp://192.168.1.64/stream2"')
    if "@" in parts.netloc:
        raise ValueError("a user or password does not belong in the URL; use username and password_file")


def _onvif(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError('it is an address such as "http://192.168.1.64/onvif/device_service"')
    _url(value)
    return value


def _hours(value: list[str]) -> list[str]:
    for span in value:
        hours.minutes(span)
    return value


def _moments(value: list[str]) -> list[str]:
    for moment in value:
        try:
            hours.minutes(f"{moment}-24:00")
        except ValueError:
            raise ValueError('a time of the day is written like "08:00"') from None
    return value


class Zone(Section):
    """`[[camera.zone]]`: a part of the picture that is watched for itself."""

    name: Id = Field(description='letters, digits, "_", "." and "-", such as "exit"')
    polygon: Polygon = Field(
        description="its corners as [x, y], 0 to 1 from the upper left, such as [[0, 0.5], [1, 0.5], [1, 1]]"
    )
    watch: Literal["crowding", "blocked"] | None = Field(
        None, description='"crowding", "blocked", or absent for detectors only'
    )
    full: float = Field(0.5, gt=0, le=1, description="share of the zone that counts as full or obstructed, 0 to 1")
    seconds: float = Field(60.0, ge=0, le=86400, description="how long it must last before it is an event")


class Detector(Section):
    """`[[camera.detector]]`: a detection model of the operator's own, and the rule over what it finds."""

    model: Path = Field(strict=False, description="the model's card, a signed .json beside its .tflite")
    label: str = Field(min_length=1, description='the thing to find, one of the card\'s labels, such as "motorcycle"')
    name: Id = Field(description='the event is camera.NAME, such as "ebike-indoors"')
    zone: str | None = Field(None, description="the zone that it must stand in; absent for the whole picture")
    count: int = Field(1, ge=1, le=1000, description="at least so many")
    seconds: float = Field(10.0, ge=0, le=86400, description="for at least so long")
    grade: int = Field(3, ge=1, le=4, description="1 (red) to 4 (blue)")


class Camera(Section):
    """`[[camera]]`: one camera, with the purpose that the law asks for."""

    HINTS: ClassVar[dict[str, str]] = {"password": _SECRET}

    id: Id = Field(description='letters, digits, "_", "." and "-", such as "gate"')
    source: Annotated[str, AfterValidator(_source)] = Field(
        min_length=1, description='"rtsp://...", /dev/video0, "http://.../snapshot.jpg" or dir:FOLDER'
    )
    place: str = Field("", description="where it is")
    interval: float = Field(2.0, ge=0.1, le=3600, description="seconds between looks, 0.1 to 3600")
    purpose: str = Field(min_length=1, description='what it is for, such as "public safety: fire lane"')
    owner: str = Field(min_length=1, description='who answers for it, such as "Qingxi village committee"')
    sign: str = Field(min_length=1, description='where its sign is documented, such as "2026-05-01 photo 12"')
    username: str | None = Field(None, min_length=1, description="the user name at the camera")
    password_file: Path | None = Field(
        None, strict=False, description="the file that holds the password and nothing else"
    )
    onvif: Annotated[str, AfterValidator(_onvif)] | None = Field(
        None,
        description='its ONVIF address where it has presets, such as "http://192.168.1.64/onvif/device_service"',
    )
    hours: Annotated[list[str], AfterValidator(_hours)] = Field(
        [], description='when it is looked through, such as ["07:00-22:30"]; always when absent'
    )
    mask: list[Polygon] = Field([], description="parts of the picture that are blacked out before anything looks")
    zone: list[Zone] = Field([], description="the zones, as [[camera.zone]]")
    detector: list[Detector] = Field([], description="detectors of your own, as [[camera.detector]]")
    agree: int = Field(3, ge=1, le=100, description="looks in a row that must agree before a hazard is raised")
    evidence: bool = Field(True, description="whether stills are kept with an event")
    blur: bool = Field(True, description="whether faces and number plates are blurred")
    unblurred_purpose: str | None = Field(
        None, min_length=1, description="why faces may be seen, who allowed it and when; required with blur = false"
    )
    vantage: Literal["high", "low"] | None = Field(None, description='"high" or "low"')
    view: str = Field("", description="what it sees, in words")

    @model_validator(mode="after")
    def _whole(self) -> "Camera":
        if not self.blur and self.unblurred_purpose is None:
            raise ValueError("blur = false needs unblurred_purpose: why faces may be seen, who allowed it and when")
        zones = {zone.name for zone in self.zone}
        for detector in self.detector:
            if detector.zone is not None and detector.zone not in zones:
                raise ValueError(f'the detector "{detector.name}" names the zone "{detector.zone}", which is not there')
        if self.onvif is not None and self.mask:
            raise ValueError(
                "mask and onvif do not go together: turned away, the mask would cover something else. Use the camera's "
                "own privacy masks, which turn with it"
            )
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file go together")
        return self


class Patrol(Section):
    """`[[patrol]]`: a tour of cameras."""

    name: Id = Field(description='letters, digits, "_", "." and "-", such as "evening"')
    stops: list[str] = Field(min_length=1, description='the ids of cameras in order, such as ["gate", "market"]')
    dwell: float = Field(5.0, gt=0, description="seconds at each stop")
    at: Annotated[list[str], AfterValidator(_moments)] = Field(
        [], description='when it is made by itself, local time, such as ["08:00", "20:00"]'
    )


class Vision(Section):
    """`[vision]`: what holds for all cameras."""

    keep: Duration = Field(
        30 * _DAY_S, ge=_DAY_S, description='how long stills are kept, then provably deleted, such as "30d"'
    )
    max_bytes: Size = Field(10**9, ge=10**6, description='the most that stills may take, such as "1GB"')
    trusted: list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(
        [], description="public keys (64 hexadecimal digits) of further makers of models"
    )
    consent: str | None = Field(
        None, min_length=1, description="who agreed that confirmed pictures teach this site's head, and when"
    )
