"""Sources against real servers: an RTSP camera that behaves and one that does not, a picture URL, folders, files."""

import base64
import http.server
import os
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
import pytest
from PIL import Image

from gateway.camera.source import Source, SourceTrouble, open_source
from gateway.camera.stills import Folder
from gateway.camera.stream import Stream
from gateway.config import Camera
from hil_tests.cameras import scenes
from hil_tests.cameras.rtsp import RtspCamera

pytestmark = pytest.mark.integration

SMALL = (160, 120)


def scene(number: int, size: tuple[int, int] = SMALL) -> Image.Image:
    return scenes.with_noise(Image.new("RGB", size, (90, 120, 150)), number)


def camera(source: str, **more: object) -> Camera:
    return Camera.model_validate(
        {"id": "c", "source": source, "purpose": "p", "owner": "o", "sign": "s", "interval": 0.1, **more}, strict=False
    )


def looks(source: Source, count: int) -> list[Image.Image]:
    found = [source.look(lambda: False) for _ in range(count)]
    return [taken() for taken in found if taken is not None]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_stream_is_looked_at_and_given_back() -> None:
    """Upright RGB of its own size; key frames alone once they come often enough; nothing stays open."""
    with RtspCamera(scene, fps=20, gop=2) as server:
        open_source(camera(server.url)).close()
        before = open_files()
        for _ in range(2):
            source = Stream(server.url, 0.2)
            images = looks(source, 5)
            assert not source._all
            source.close()
        assert [image.size for image in images] == [SMALL] * 5
        assert abs(np.asarray(images[-1], float).mean(axis=(0, 1)) - (90, 120, 150)).max() < 8
        deadline = time.monotonic() + 30  # the server's end of the last connection closes in its own time
        while open_files() > before and time.monotonic() < deadline:
            time.sleep(0.05)
        assert open_files() <= before


def test_seldom_key_frames_are_bridged() -> None:
    """Where a key frame comes every ten seconds, all between are decoded, so that looks come in time."""
    with RtspCamera(scene, fps=10, gop=100) as server:
        source = Stream(server.url, 0.2)
        assert len(looks(source, 5)) == 5
        source.close()


def test_a_stream_that_changes_size_and_goes_back_in_time_is_survived() -> None:
    """Each is counted; the looks go on."""
    sizes = [SMALL, (320, 240)]
    with RtspCamera(lambda n: scene(n, sizes[n // 10 % 2]), fps=20, gop=5) as server:
        server.backwards = True
        source = Stream(server.url, 0.1)
        deadline = time.monotonic() + 60
        while not {"changed size", "went back in time"} <= set(source.counts) and time.monotonic() < deadline:
            looks(source, 1)
        source.close()
        assert {"changed size", "went back in time"} <= set(source.counts)


def begin_and_stall(server: RtspCamera) -> None:
    source = Stream(server.url, 0.1)
    try:
        looks(source, 2)
        server.stalled.set()
        looks(source, 100)
    finally:
        source.close()


@pytest.mark.parametrize("how", ["no keys", "stalls"])
def test_a_stream_without_pictures_is_a_trouble_in_time(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every wait has its limit, here made short."""
    monkeypatch.setattr("gateway.camera.stream.SILENT_S", 1.0)
    monkeypatch.setattr("gateway.camera.stream.OPEN_S", 2.0)
    with RtspCamera(scene, fps=20, gop=4) as server:
        server.without_keys = how == "no keys"
        with pytest.raises(SourceTrouble, match=server.url) as trouble:
            begin_and_stall(server)
        assert trouble.value.reason in {"no key frame", "stalled", "unreachable", "no picture"}


def test_a_camera_that_wants_a_password(tmp_path: Path) -> None:
    """Without it, a sentence that names the keys; with it, a picture. The file is read anew each time."""
    secret = tmp_path / "password"
    secret.write_text("geheim\n")
    with RtspCamera(scene, fps=20, gop=4, password="geheim") as server:
        with pytest.raises(SourceTrouble, match="username and password_file"):
            open_source(camera(server.url))
        source = open_source(camera(server.url, username="viewer", password_file=secret))
        assert looks(source, 1)
        source.close()
    secret.unlink()
    with pytest.raises(SourceTrouble, match="password file"):
        open_source(camera(server.url, username="viewer", password_file=secret))


def test_nobody_there_is_a_trouble() -> None:
    """A port where nothing listens, for every kind of stream."""
    for url in ("rtsp://127.0.0.1:9/x", "http://127.0.0.1:9/x.jpg", "/dev/video-none"):
        with pytest.raises(SourceTrouble, match=url):
            open_source(camera(url))


def test_a_file_is_played_again_and_again(tmp_path: Path) -> None:
    """At its own pace; it is no live camera."""
    file = tmp_path / "clip.mp4"
    with av.open(str(file), "w") as out:
        stream = out.add_stream("libx264", rate=20)
        stream.width, stream.height, stream.pix_fmt = *SMALL, "yuv420p"
        for number in range(20):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(scene(number)), format="rgb24")))
        out.mux(stream.encode(None))
    source = open_source(camera(f"file:{file}"))
    assert not source.live
    began = time.monotonic()
    assert len(looks(source, 15)) == 15
    assert time.monotonic() - began > 1.0
    source.close()


class Pictures(http.server.BaseHTTPRequestHandler):
    """A snapshot URL with a user and a password."""

    body: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        wanted = base64.b64encode(b"viewer:geheim").decode()
        allowed = self.headers.get("Authorization") == f"Basic {wanted}"
        self.send_response(200 if allowed else 401)
        if not allowed:
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
        self.send_header("Content-Type", "image/jpeg")
        self.end_headers()
        self.wfile.write(self.body if allowed else b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def snapshots() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pictures)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/snapshot"
    server.shutdown()
    server.server_close()


def test_a_picture_url(snapshots: str, tmp_path: Path) -> None:
    """One picture a look; a refused password and a broken picture are troubles."""
    out = BytesIO()
    scene(1).save(out, "JPEG")
    Pictures.body = out.getvalue()
    (tmp_path / "p").write_text("geheim")
    with pytest.raises(SourceTrouble, match="username and password_file"):
        open_source(camera(snapshots))
    source = open_source(camera(snapshots, username="viewer", password_file=tmp_path / "p"))
    assert [image.size for image in looks(source, 2)] == [SMALL] * 2
    Pictures.body = b"<html>"
    with pytest.raises(SourceTrouble, match="no JPEG"):
        source.look(lambda: False)
    source.close()


def test_a_folder_goes_round_until_something_new_arrives(tmp_path: Path) -> None:
    """By name, again and again; then only what is new, each once; a broken file is counted and passed over."""
    for number, shade in enumerate((10, 90, 170)):
        Image.new("RGB", (8, 8), (shade,) * 3).save(tmp_path / f"{number}.png")
    (tmp_path / "1a.jpg").write_text("no picture")
    source = Folder(str(tmp_path), 0.0)
    assert [image.getpixel((0, 0)) for image in looks(source, 6)] == [(s,) * 3 for s in (10, 90, 170)] * 2
    assert source.counts["bad pictures"] == 2
    Image.new("RGB", (8, 8), (250,) * 3).save(tmp_path / "0b.png")
    os.utime(tmp_path / "0b.png")
    assert looks(source, 1)[0].getpixel((0, 0)) == (250,) * 3
    ends = time.monotonic() + 0.3
    assert source.look(lambda: time.monotonic() > ends) is None


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """A trouble with its name, and no picture again and again when it is empty."""
    with pytest.raises(SourceTrouble, match="none"):
        Folder(str(tmp_path / "none"), 0.0).look(lambda: False)
