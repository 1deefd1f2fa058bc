"""What systemd hears, and that nobody hears anything without it."""

import os
import socket
from pathlib import Path

import pytest

from gateway.systemd import notify, watchdog_seconds


def test_lines_reach_the_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """READY=1 arrives as one datagram at $NOTIFY_SOCKET."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        assert notify("READY=1", "STATUS=well")
        assert manager.recv(100) == b"READY=1\nSTATUS=well"


def test_silent_without_systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No manager, or one that is gone, is no error."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    assert not notify("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [
        ("10000000", None, 5.0),
        ("10000000", "own", 5.0),
        ("10000000", "1", None),
        ("", None, None),
        ("x", None, None),
    ],
)
def test_watchdog_interval(monkeypatch: pytest.MonkeyPatch, usec: str, pid: str | None, seconds: float | None) -> None:
    """Half of WATCHDOG_USEC, and only when it is meant for this process."""
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    if pid is None:
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
    else:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid)
    assert watchdog_seconds() == seconds
