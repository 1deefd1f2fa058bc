"""A small RTSP camera (RFC 2326, over TCP interleaved; H.264 as RFC 6184 packs it) that can be made to misbehave.

It serves one picture source to any number of clients on loopback. `stall`, `without_keys`, `backwards` and a password
are what real cameras do to those who watch them.
"""

import base64
import itertools
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Self

import av
import numpy as np
from PIL import Image

Scene = Callable[[int], Image.Image]
"""The frame of a number; its size may change from one to the next."""

_CLOCK = 90_000
_MOST_PAYLOAD = 1400
_IDR, _FRAGMENT = 5, 28


class RtspCamera:
    """`with RtspCamera(scene) as camera:` streams `scene` at `fps`, a key frame every `gop` frames, at `camera.url`.

    With `loop`, so many frames are encoded once and sent again and again, which costs next to nothing.
    """

    def __init__(
        self, scene: Scene, fps: float = 5.0, gop: int = 5, loop: int = 0, password: str | None = None
    ) -> None:
        self.scene = scene
        self.fps = fps
        self.gop = gop
        self.stalled = threading.Event()
        self.without_keys = False
        self.backwards = False
        self.password = password
        self.clients = 0
        self.ended = threading.Event()
        self._loop = list(itertools.islice(_encoded(lambda: self.scene, fps, gop), loop))
        camera = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                camera._serve(self.connection)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.allow_reuse_address = True
        self._port = 0

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self._port}/stream"

    def __enter__(self) -> Self:
        self._server.server_bind()
        self._server.server_activate()
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    def _frames(self) -> Iterator[list[bytes]]:
        return itertools.cycle(self._loop) if self._loop else _encoded(lambda: self.scene, self.fps, self.gop)

    def _serve(self, line: socket.socket) -> None:
        self.clients += 1
        try:
            while not self.ended.is_set():
                request = _request(line)
                if request is None:
                    return
                verb, headers = request
                line.sendall(self._answer(verb, headers))
                if verb == "PLAY":
                    self._play(line)
                    return
        except OSError:
            pass  # the client went away
        finally:
            self.clients -= 1

    def _answer(self, verb: str, headers: dict[str, str]) -> bytes:
        extra, body, status = "", "", "200 OK"
        if verb == "OPTIONS":
            extra = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif not self._allowed(headers):
            status, extra = "401 Unauthorized", 'WWW-Authenticate: Basic realm="camera"\r\n'
        elif verb == "DESCRIBE":
            body = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                "c=IN IP4 0.0.0.0\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track1\r\n"
            )
            extra = f"Content-Base: {self.url}/\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        elif verb == "SETUP":
            extra = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
        elif verb == "PLAY":
            extra = "Session: 1\r\nRange: npt=0-\r\n"
        return f"RTSP/1.0 {status}\r\nCSeq: {headers.get('cseq', '0')}\r\n{extra}\r\n{body}".encode()

    def _allowed(self, headers: dict[str, str]) -> bool:
        if self.password is None:
            return True
        wanted = base64.b64encode(f"viewer:{self.password}".encode()).decode()
        return headers.get("authorization") == f"Basic {wanted}"

    def _play(self, line: socket.socket) -> None:
        """Until the client goes; what it sends meanwhile (keep-alives) is not answered."""
        sequence, began = 0, time.monotonic()
        for number, units in enumerate(self._frames()):
            while time.monotonic() < began + number / self.fps or self.stalled.is_set():
                if self.ended.wait(0.02):
                    return
            stamp = int(number * _CLOCK / self.fps)
            if self.backwards and number % 10 == 9:
                stamp = max(0, stamp - 5 * _CLOCK)
            if self.without_keys and any(unit[0] & 31 == _IDR for unit in units):
                continue
            for packet in _packets(units, stamp):
                header = struct.pack(">BBHII", 0x80, packet[0], sequence & 0xFFFF, stamp & 0xFFFFFFFF, 0x6E7755)
                line.sendall(b"$\0" + struct.pack(">H", len(packet) + 11) + header + packet[1:])
                sequence += 1


def _request(line: socket.socket) -> tuple[str, dict[str, str]] | None:
    text = b""
    while b"\r\n\r\n" not in text:
        part = line.recv(4096)
        if not part:
            return None
        text += part
    first, *rest = text.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
    pairs = (row.partition(":") for row in rest)
    return first.split(" ")[0], {name.strip().lower(): value.strip() for name, _, value in pairs}


def _encoded(scene: Callable[[], Scene], fps: float, gop: int) -> Iterator[list[bytes]]:
    """The NAL units of each frame; a new encoder whenever the size changes, as in a camera that is switched over."""
    encoder: av.VideoCodecContext | None = None
    for number in itertools.count():
        frame = av.VideoFrame.from_ndarray(np.asarray(scene()(number)), format="rgb24")
        if encoder is None or (encoder.width, encoder.height) != (frame.width, frame.height):
            encoder = _encoder(frame.width, frame.height, fps, gop)
        frame.pts = number
        for packet in encoder.encode(frame):
            yield _units(bytes(packet))


def _encoder(width: int, height: int, fps: float, gop: int) -> av.VideoCodecContext:
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = Fraction(1, max(1, round(fps)))
    encoder.gop_size = gop
    encoder.thread_count = 1
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "sc_threshold": "0", "crf": "14"}
    return encoder


def _units(stream: bytes) -> list[bytes]:
    """Annex B into NAL units."""
    return [unit.rstrip(b"\0") for unit in stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit]


def _packets(units: list[bytes], stamp: int) -> Iterator[bytes]:
    """RTP payloads, each led by its marker and type byte; large units in fragments (FU-A)."""
    for index, unit in enumerate(units):
        last = index == len(units) - 1
        if len(unit) <= _MOST_PAYLOAD:
            yield bytes([96 | last << 7]) + unit
            continue
        head, body = unit[0], unit[1:]
        parts = [body[at : at + _MOST_PAYLOAD] for at in range(0, len(body), _MOST_PAYLOAD)]
        for number, part in enumerate(parts):
            final = number == len(parts) - 1
            flags = (number == 0) << 7 | final << 6 | head & 31
            yield bytes([96 | (last and final) << 7, head & 0xE0 | _FRAGMENT, flags]) + part
