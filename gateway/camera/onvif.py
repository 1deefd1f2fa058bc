"""A camera's ONVIF head: its named presets, turned to for a patrol and left at its home again.

A small SOAP 1.2 client for the five requests that this takes (ONVIF Core 2.2, Media ver10, PTZ ver20), with the
password as a digest (WS-Security UsernameToken Profile 1.0). It moves heads between presets that somebody set, and
nothing else: it discovers, configures and records nothing.
"""

import base64
import hashlib
import http.client
import os
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

from gateway.camera.source import SILENT_S, SourceTrouble, password_of
from gateway.config.camera_tables import Camera

_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_DEVICE = "http://www.onvif.org/ver10/device/wsdl"
_MEDIA = "http://www.onvif.org/ver10/media/wsdl"
_PTZ = "http://www.onvif.org/ver20/ptz/wsdl"
_MOST_BYTES = 1_000_000  # own choice: 256 presets take some 60 kB
_Answer = ElementTree.Element


@dataclass(frozen=True)
class Preset:
    """A place that somebody stored in the camera: `token` is what the camera calls it, `name` what people do."""

    token: str
    name: str


class Head:
    """The head at the device service `url`. Every call may raise SourceTrouble; each waits at most SILENT_S."""

    def __init__(self, url: str, username: str | None, password: str | None, now: Callable[[], datetime]) -> None:
        self._url = url
        self._who = (username, password) if username is not None and password is not None else None
        self._now = now
        self._ahead = self._clock() - now()
        self._media, self._ptz = self._services()
        self._profile = self._moving_profile()

    def presets(self) -> list[Preset]:
        """The stored places, in the camera's order."""
        answer = self._ask(self._ptz, _PTZ, f"<GetPresets {_ns(_PTZ)}>{self._profile}</GetPresets>")
        found = [(one.get("token"), one.findtext("{*}Name")) for one in answer.iter(f"{{{_PTZ}}}Preset")]
        return [Preset(token, name or token) for token, name in found if token]

    def go(self, preset: Preset) -> None:
        """Start moving to `preset`; the camera answers before it is there."""
        token = f"<PresetToken>{escape(preset.token)}</PresetToken>"
        self._ask(self._ptz, _PTZ, f"<GotoPreset {_ns(_PTZ)}>{self._profile}{token}</GotoPreset>")

    def home(self) -> None:
        """Start moving to the camera's home position."""
        self._ask(self._ptz, _PTZ, f"<GotoHomePosition {_ns(_PTZ)}>{self._profile}</GotoHomePosition>")

    def _clock(self) -> datetime:
        """The camera's own time: it refuses digests of another (asked for without a password, as ONVIF says)."""
        answer = self._ask(self._url, _DEVICE, f"<GetSystemDateAndTime {_ns(_DEVICE)}/>", known=False)
        utc = answer.find(".//{*}UTCDateTime")
        if utc is None:
            return self._now()
        year, month, day, hour, minute, second = (utc.findtext(f".//{{*}}{name}", "") for name in _MOMENT)
        try:
            return datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        except ValueError:
            return self._now()

    def _services(self) -> tuple[str, str]:
        """Addresses of the media and of the PTZ service."""
        request = f"<GetCapabilities {_ns(_DEVICE)}><Category>All</Category></GetCapabilities>"
        answer = self._ask(self._url, _DEVICE, request)
        ptz = answer.findtext(".//{*}PTZ/{*}XAddr")
        if ptz is None:
            raise SourceTrouble(
                "no presets", f"The camera at {self._url} cannot be moved: take onvif out of its table."
            )
        return self._here(answer.findtext(".//{*}Media/{*}XAddr") or self._url), self._here(ptz)

    def _here(self, address: str) -> str:
        """The path of `address` at the host that was configured.

        A camera behind a router gives an address of its own network; and nothing that a camera says may send
        requests with its password to another host.
        """
        at = urlsplit(self._url)
        return at._replace(path=urlsplit(address.strip()).path or at.path, query="").geturl()

    def _moving_profile(self) -> str:
        answer = self._ask(self._media, _MEDIA, f"<GetProfiles {_ns(_MEDIA)}/>")
        for profile in answer.iter(f"{{{_MEDIA}}}Profiles"):
            token = profile.get("token")
            if token and profile.find("{*}PTZConfiguration") is not None:
                return f"<ProfileToken>{escape(token)}</ProfileToken>"
        raise SourceTrouble(
            "no presets", f"No profile of the camera at {self._url} moves: give one a PTZ configuration."
        )

    def _ask(self, url: str, service: str, body: str, known: bool = True) -> _Answer:
        security = self._token() if known and self._who is not None else ""
        envelope = (
            f'<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="{_SOAP}"><s:Header>{security}</s:Header>'
            f"<s:Body>{body}</s:Body></s:Envelope>"
        )
        action = f"{service}/{body[1:].split(' ', 1)[0]}"
        headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"'}
        request = urllib.request.Request(url, envelope.encode(), headers)
        try:
            with _straight.open(request, timeout=SILENT_S) as answer:
                return _read(url, answer.read(_MOST_BYTES + 1))
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(url, error.code, error.read(_MOST_BYTES)) from None
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise SourceTrouble("unreachable", f"ONVIF at {url} cannot be reached ({error}).") from None

    def _token(self) -> str:
        assert self._who is not None
        name, password = self._who
        nonce = os.urandom(16)
        created = (self._now() + self._ahead).strftime("%Y-%m-%dT%H:%M:%SZ")
        digest = hashlib.sha1(nonce + created.encode() + password.encode(), usedforsecurity=False).digest()
        kind = quoteattr(f"{_WSS}username-token-profile-1.0#PasswordDigest")
        return (
            f'<w:Security xmlns:w="{_WSS}wssecurity-secext-1.0.xsd" s:mustUnderstand="true"><w:UsernameToken>'
            f"<w:Username>{escape(name)}</w:Username><w:Password Type={kind}>{base64.b64encode(digest).decode()}"
            f"</w:Password><w:Nonce>{base64.b64encode(nonce).decode()}</w:Nonce>"
            f'<u:Created xmlns:u="{_WSS}wssecurity-utility-1.0.xsd">{created}</u:Created>'
            "</w:UsernameToken></w:Security>"
        )


_MOMENT = ("Year", "Month", "Day", "Hour", "Minute", "Second")


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: a digest goes to the configured host alone."""

    def redirect_request(self, *_: object) -> None:
        return None


_straight = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Stay())


def head_of(camera: Camera) -> Head:
    """The head of `camera`, which has `onvif`. Raises SourceTrouble."""
    assert camera.onvif is not None
    return Head(camera.onvif, camera.username, password_of(camera), lambda: datetime.now(UTC))


def _ns(uri: str) -> str:
    return f"xmlns={quoteattr(uri)}"


def _read(url: str, content: bytes) -> _Answer:
    # No document type: entities that unfold to gigabytes need one, and no camera does.
    if len(content) <= _MOST_BYTES and b"<!DOCTYPE" not in content:
        try:
            return ElementTree.fromstring(content)
        except ElementTree.ParseError:
            pass
    raise SourceTrouble(
        "no presets", f"What answers at {url} does not speak ONVIF: see the camera's manual for its URL."
    )


def _refusal(url: str, status: int, content: bytes) -> SourceTrouble:
    """The trouble that a refused request was: the fault's own words where there are some."""
    try:
        fault = _read(url, content)
        said = " ".join("".join(one.itertext()) for one in fault.iter(f"{{{_SOAP}}}Text")).strip()
        codes = " ".join(one.text or "" for one in fault.iter(f"{{{_SOAP}}}Value"))
    except SourceTrouble:
        said = codes = ""
    if status in (401, 403) or "NotAuthorized" in codes:
        return SourceTrouble(
            "password",
            f"ONVIF at {url} wants another user or password: many cameras keep users of their own for ONVIF, "
            "see username and password_file.",
        )
    return SourceTrouble("no presets", f"ONVIF at {url} refuses ({said or f'HTTP {status}'}).")
