"""Video through PyAV: RTSP, HTTP, files and V4L2 devices, decoded no more often than looks are due.

Where key frames come often enough, they alone are decoded; that is what keeps a still scene cheap. Every wait has
a limit, and packets between two looks are read and thrown away, so nothing piles up here or in the camera.
"""

import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from urllib.parse import quote, urlsplit, urlunsplit

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from gateway.camera.picture import MOST_PIXELS
from gateway.camera.source import SILENT_S, SourceTrouble, Stopped, Taken

OPEN_S = 10.0
# A look may come so much later than it is due when only the key frames between are decoded.
_LATE = 1.5


class Stream:
    """`url` is rtsp://, http://, file:PATH or /dev/videoN. A file is played at its own pace, again and again."""

    def __init__(self, url: str, interval: float, username: str | None = None, password: str | None = None) -> None:
        self._url = url
        self._interval = interval
        self.counts: dict[str, int] = Counter()
        self._is_file = url.startswith("file:")
        self.live = not self._is_file
        self._container = _open(url, username, password)
        try:
            self._stream = self._container.streams.video[0]
        except IndexError:
            self._container.close()
            raise SourceTrouble("no picture", f"{url} has no video in it.") from None
        self._codec: VideoCodecContext = self._stream.codec_context
        self._codec.thread_count = 1
        self._packets = self._container.demux(self._stream)
        self._due = time.monotonic()
        self._all = True  # until two key frames have shown how far they are apart
        self._key_at: float | None = None
        self._last_pts: int | None = None
        self._size: tuple[int, int] | None = None
        self._pace = _Pace()

    def look(self, stopped: Stopped) -> Taken | None:
        frame_by = time.monotonic() + SILENT_S + self._interval
        for packet in self._timely_packets(stopped):
            now = time.monotonic()
            frame = self._decoded(packet, now >= self._due)
            if frame is not None and now >= self._due:
                self._due = now + self._interval
                return partial(self._image, frame)
            if now > frame_by:
                raise SourceTrouble("no key frame", f"{self._url} sends video without a key frame: restart the camera.")
        return None

    def close(self) -> None:
        self._container.close()

    def _timely_packets(self, stopped: Stopped) -> "Iterator[Packet[VideoStream]]":
        while not stopped():
            try:
                packet = next(self._packets)
            except StopIteration:
                packet = None
            except (av.FFmpegError, OSError) as error:
                raise SourceTrouble("stalled", f"{self._url} sends nothing any more ({_why(error)}).") from None
            if packet is None or packet.size == 0:
                if not self._is_file:
                    raise SourceTrouble("stalled", f"{self._url} has ended its video.")
                self._again()
                continue
            self._watch_order(packet)
            if self._is_file and not self._pace.wait(packet, stopped):
                return
            yield packet

    def _again(self) -> None:
        try:
            self._container.seek(0)
        except av.FFmpegError:
            raise SourceTrouble("stalled", f"{self._url} is at its end and cannot be played again.") from None
        self._codec.flush_buffers()
        self._packets = self._container.demux(self._stream)
        self._last_pts = None
        self._pace.restart()

    def _watch_order(self, packet: "Packet[VideoStream]") -> None:
        moment = packet.dts
        if moment is None:
            return
        if self._last_pts is not None and moment < self._last_pts:
            self.counts["went back in time"] += 1
            self._pace.restart()
        self._last_pts = moment

    def _decoded(self, packet: "Packet[VideoStream]", due: bool) -> VideoFrame | None:
        """The latest frame, or None. Key frames alone, unless they come too seldom for the interval."""
        if packet.is_keyframe:
            now = time.monotonic()
            if self._key_at is not None:
                self._all = now - self._key_at > _LATE * self._interval
            self._key_at = now
        elif self._key_at is None or not self._all:
            return None
        if self._all:
            return self._last(packet)
        return self._lone(packet) if due else None

    def _lone(self, packet: "Packet[VideoStream]") -> VideoFrame | None:
        """A key frame by itself: the decoder is emptied, so that it cannot hold it back for its successors."""
        frame = self._last(packet) or self._last(None)
        self._codec.flush_buffers()
        return frame

    def _last(self, packet: "Packet[VideoStream] | None") -> VideoFrame | None:
        try:
            frames = self._codec.decode(packet)
        except (av.FFmpegError, ValueError):
            self.counts["undecodable"] += 1
            return None
        return frames[-1] if frames else None

    def _image(self, frame: VideoFrame) -> Image.Image:
        size = (frame.width, frame.height)
        if self._size is not None and size != self._size:
            self.counts["changed size"] += 1
        self._size = size
        if size[0] * size[1] > MOST_PIXELS:
            raise SourceTrouble("too large", f"{self._url} sends {size[0]} x {size[1]} pixels; choose its substream.")
        return Image.fromarray(frame.to_ndarray(format="rgb24"))


class _Pace:
    """Holds a file's packets back to the time at which a camera would have sent them."""

    def __init__(self) -> None:
        self._zero: float | None = None

    def restart(self) -> None:
        self._zero = None

    def wait(self, packet: "Packet[VideoStream]", stopped: Stopped) -> bool:
        """False when stopped."""
        if packet.pts is None or packet.time_base is None:
            return True
        at = float(packet.pts * packet.time_base)
        if self._zero is None:
            self._zero = time.monotonic() - at
        while (left := self._zero + at - time.monotonic()) > 0:
            if stopped():
                return False
            time.sleep(min(left, 0.2))
        return True


def _open(url: str, username: str | None, password: str | None) -> av.container.InputContainer:
    kind = "v4l2" if url.startswith("/dev/") else None
    # A second of video tells what is in it; FFmpeg would look for five.
    options = {"analyzeduration": "1000000"}
    if url.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"
    try:
        return av.open(
            _with_password(url.removeprefix("file:"), username, password),
            format=kind,
            options=options,
            timeout=(OPEN_S, SILENT_S / 2),  # FFmpeg asks twice before it gives up
        )
    except (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError):
        raise SourceTrouble("password", f"{url} wants a user and a password: see username and password_file.") from None
    except (av.FFmpegError, OSError, ValueError) as error:
        raise SourceTrouble("unreachable", f"{url} cannot be opened ({_why(error)}).") from None


def _why(error: Exception) -> str:
    if isinstance(error, av.error.ExitError):  # what our own time limits look like from outside
        return f"silent for {SILENT_S:g} s"
    return getattr(error, "strerror", None) or type(error).__name__


def _with_password(url: str, username: str | None, password: str | None) -> str:
    if username is None or password is None:
        return url
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{quote(username, safe='')}:{quote(password, safe='')}@{parts.netloc}"))
