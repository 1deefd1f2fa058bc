"""A camera with an ONVIF head: SOAP over HTTP with the digest checked, presets that it turns to, and its picture.

It keeps a clock of its own and refuses digests of another time, as real cameras do, and can be made to misbehave:
a wrong password, no head, a refused preset, no home, an answer that is no SOAP, silence.
"""

import base64
import hashlib
import io
import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from xml.sax.saxutils import escape

from PIL import Image

_ENVELOPE = '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:t="http://www.onvif.org/ver10/schema"'
_TOLERANCE = timedelta(seconds=60)  # a test on a busy machine is no replayed request


class OnvifCamera:
    """`presets`: name to what it sees there; `ahead`: how far its clock is off; `moves`: where it was sent."""

    def __init__(
        self, presets: Mapping[str, Image.Image], password: str | None = None, ahead: timedelta = timedelta()
    ) -> None:
        self._pictures = dict(presets)
        self._password = password
        self._ahead = ahead
        self.moves: list[str] = []
        self.turns = True
        self.has_home = True
        self.refused: str | None = None
        self.raw: bytes | None = None
        camera = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, content = camera._answer(body)
                self._send(status, "application/soap+xml", content)

            def do_GET(self) -> None:
                buffer = io.BytesIO()
                camera._seen().save(buffer, "JPEG", quality=95)
                self._send(200, "image/jpeg", buffer.getvalue())

            def _send(self, status: int, kind: str, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def onvif(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/onvif/device_service"

    @property
    def snapshot(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/snapshot.jpg"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _seen(self) -> Image.Image:
        at = self.moves[-1] if self.moves and self.moves[-1] in self._pictures else next(iter(self._pictures))
        return self._pictures[at]

    def _answer(self, body: str) -> tuple[int, bytes]:
        if self.raw is not None:
            return 200, self.raw
        asked = re.search(r"<s:Body><(\w+)", body)
        name = asked.group(1) if asked else ""
        if name == "GetSystemDateAndTime":
            return _found(self._time())
        if not self._knows(body):
            return _fault(400, "ter:NotAuthorized", "Sender not Authorized")
        if name == "GetCapabilities":
            return _found(self._capabilities())
        if name == "GetProfiles":
            return _found(_PROFILES)
        if name == "GetPresets":
            return _found(self._presets())
        return self._moved(name, body)

    def _time(self) -> str:
        now = datetime.now(UTC) + self._ahead
        parts = {
            "Time": {"Hour": now.hour, "Minute": now.minute, "Second": now.second},
            "Date": {"Year": now.year, "Month": now.month, "Day": now.day},
        }
        inner = "".join(
            f"<t:{part}>{''.join(f'<t:{key}>{value}</t:{key}>' for key, value in values.items())}</t:{part}>"
            for part, values in parts.items()
        )
        return f"<r><t:UTCDateTime>{inner}</t:UTCDateTime></r>"

    def _knows(self, body: str) -> bool:
        """Whether the digest is that of the password, and of a time that is near this camera's own."""
        if self._password is None:
            return True
        parts = re.search(r"PasswordDigest\">([^<]+)<.*<w:Nonce>([^<]+)<.*<u:Created[^>]*>([^<]+)<", body)
        if parts is None:
            return False
        digest, nonce, created = parts.groups()
        own = hashlib.sha1(base64.b64decode(nonce) + created.encode() + self._password.encode()).digest()
        late = datetime.strptime(created, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) - (datetime.now(UTC) + self._ahead)
        return base64.b64encode(own).decode() == digest and abs(late) < max(_TOLERANCE, abs(self._ahead) / 2)

    def _capabilities(self) -> str:
        # The address is one of the camera's own network, as behind a router: only its path may be taken.
        ptz = "<t:PTZ><t:XAddr>http://192.0.2.7/onvif/ptz</t:XAddr></t:PTZ>" if self.turns else ""
        return f"<r><t:Media><t:XAddr>http://192.0.2.7/onvif/media</t:XAddr></t:Media>{ptz}</r>"

    def _presets(self) -> str:
        rows = "".join(
            f'<p:Preset token="{number}"><t:Name>{escape(name)}</t:Name></p:Preset>'
            for number, name in enumerate(self._pictures, 1)
        )
        return f'<r xmlns:p="http://www.onvif.org/ver20/ptz/wsdl">{rows}</r>'

    def _moved(self, name: str, body: str) -> tuple[int, bytes]:
        if "<ProfileToken>main&amp;1</ProfileToken>" not in body:
            return _fault(400, "ter:NoProfile", "No such profile")
        if name == "GotoHomePosition":
            if not self.has_home:
                return _fault(500, "ter:NoHomePosition", "No home position")
            self.moves.append("home")
            return _found("<r/>")
        token = re.search(r"<PresetToken>(\d+)<", body)
        if name != "GotoPreset" or token is None:
            return _fault(400, "ter:ActionNotSupported", "Not supported")
        place = list(self._pictures)[int(token.group(1)) - 1]
        if place == self.refused:
            return _fault(500, "ter:InvalidPosition", "The requested position is out of bounds")
        self.moves.append(place)
        return _found("<r/>")


_PROFILES = (
    '<r xmlns:m="http://www.onvif.org/ver10/media/wsdl"><m:Profiles token="fixed"/>'
    '<m:Profiles token="main&amp;1"><t:PTZConfiguration token="p"/></m:Profiles></r>'
)


def _found(inner: str) -> tuple[int, bytes]:
    return 200, f"{_ENVELOPE}><s:Body>{inner}</s:Body></s:Envelope>".encode()


def _fault(status: int, code: str, words: str) -> tuple[int, bytes]:
    inner = (
        "<s:Fault><s:Code><s:Value>s:Sender</s:Value>"
        f'<s:Subcode xmlns:ter="http://www.onvif.org/ver10/error"><s:Value>{code}</s:Value></s:Subcode></s:Code>'
        f'<s:Reason><s:Text xml:lang="en">{words}</s:Text></s:Reason></s:Fault>'
    )
    return status, _found(inner)[1]
