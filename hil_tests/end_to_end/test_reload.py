"""`systemctl reload gewu`: a configuration that changes under a running gateway."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.outbox import Outbox
from hil_tests.brokers import Mosquitto
from hil_tests.end_to_end.scene import Site, wait_for
from hil_tests.faults.samples import Route, reading

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
QUEUED = 10_000


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """What systemd listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield line


def said(line: socket.socket) -> list[str]:
    """What systemd has been told since the last look."""
    lines: list[str] = []
    while True:
        try:
            lines += line.recv(4096).decode().splitlines()
        except BlockingIOError:
            return [one for one in lines if one != "WATCHDOG=1"]


def test_a_changed_configuration_is_checked_then_taken(
    site: Site, mosquitto: Mosquitto, manager: socket.socket
) -> None:
    """C5: 10,000 queued for a broker that is not there. A wrong file is refused with a sentence and nothing changes; a
    right one, another broker's address in it, is taken by the same process, and the queue is as it was."""
    site.configure("", "mqtt://127.0.0.1:9", "acks = true\n")
    outbox = Outbox(site.data_dir, SystemClock(), [Route("county", acks=True)])
    for number in range(QUEUED):
        outbox.put_reading(reading(number))
    outbox.close()
    gateway = site.start_gateway()
    status = wait_for("the gateway", site.status)
    assert (status["store"]["queued"], status["gateway"]["pid"]) == (QUEUED, gateway.process.pid)
    right = site.config.read_text(encoding="utf-8")
    site.config.write_text(right.replace("acks", "ack"), encoding="utf-8")
    told = wait_for("ready", lambda: said(manager))
    gateway.process.send_signal(signal.SIGHUP)
    wait_for("the refusal", lambda: "the changed configuration is refused" in gateway.words())
    assert "gewu.toml" in gateway.words()
    told += wait_for("systemd hears of it", lambda: said(manager))
    assert site.count("queued") == QUEUED
    site.config.write_text(right.replace("mqtt://127.0.0.1:9", mosquitto.url), encoding="utf-8")
    receiver = site.start_receiver(mosquitto.url)
    gateway.process.send_signal(signal.SIGHUP)
    wait_for("the queue is delivered", lambda: site.status() and site.count("queued") == 0, 60)
    status = wait_for("the gateway", site.status)
    assert status["gateway"]["pid"] == gateway.process.pid
    told += said(manager)
    kinds = [line.partition("=")[0] for line in told if not line.startswith(("STATUS", "MONOTONIC"))]
    assert kinds == ["READY", "RELOADING", "READY", "RELOADING", "READY"]
    gateway.stop()
    assert said(manager)[-1] == "STOPPING=1"
    assert gateway.process.returncode == 0
    receiver.stop()
    (found,) = site.report()["gateways"].values()
    assert (found["delivered"]["readings"], found["lost"]) == (QUEUED, 0)
