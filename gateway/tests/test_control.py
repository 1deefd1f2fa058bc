"""The control socket: one JSON line in, one out, and sentences for everything that can go wrong."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.control import SOCKET_NAME, ControlServer, ask
from gateway.errors import GewuError, StoreError


def refuse(_: dict[str, Any]) -> None:
    raise StoreError("the disk is full")


def fail(_: dict[str, Any]) -> None:
    raise KeyError("a bug")


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Path]:
    server = ControlServer(
        tmp_path, {"echo": lambda request: request.get("word"), "refuse": refuse, "fail": fail}, notices_end_s=0.01
    )
    server.start()
    yield tmp_path
    server.stop()


def test_an_answer_comes_back(door: Path) -> None:
    """The handler's value is the result, Chinese unharmed."""
    assert ask(door, "echo", word="清溪") == "清溪"


def test_no_gateway_is_none(tmp_path: Path) -> None:
    """Where no gateway runs, there is nothing to ask; also when a killed one left its socket file."""
    assert ask(tmp_path, "echo") is None
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(tmp_path / SOCKET_NAME))
    dead.close()
    assert ask(tmp_path, "echo") is None


def test_a_refusal_is_its_sentence(door: Path) -> None:
    """What the gateway refuses comes back as the sentence it gave."""
    with pytest.raises(GewuError, match="the disk is full"):
        ask(door, "refuse")
    with pytest.raises(GewuError, match="does not know the request 'dance'"):
        ask(door, "dance")


def test_a_bug_in_one_request_does_not_end_the_door(door: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A failing handler is logged and answered; the next request is served."""
    with pytest.raises(GewuError, match="failed on this request"):
        ask(door, "fail")
    assert "control request failed" in caplog.text
    assert ask(door, "echo", word=1) == 1


@pytest.mark.parametrize("line", [b"\n", b"[]\n", b"{\n", b"\xff\xfe\n", b'"do"\n'])
def test_garbage_is_answered_with_a_sentence(door: Path, line: bytes) -> None:
    """Bytes that are no request get an error line, not silence and not a traceback."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(door / SOCKET_NAME))
        client.sendall(line)
        answer = json.loads(client.makefile("rb").readline())
    assert answer["ok"] is False
    assert answer["error"]


def test_a_long_path_works(tmp_path: Path) -> None:
    """A data folder deeper than a socket address may be long is reached all the same."""
    deep = tmp_path.joinpath(*["a-rather-long-folder-name"] * 6)
    deep.mkdir(parents=True)
    server = ControlServer(deep, {"echo": lambda request: request.get("word")}, notices_end_s=0.01)
    server.start()
    try:
        assert ask(deep, "echo", word=2) == 2
    finally:
        server.stop()
    assert not (deep / SOCKET_NAME).exists()
