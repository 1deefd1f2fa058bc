"""The promise, with real brokers and real kills: whatever dies, the receiver ends with everything."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.receiver.files import Files
from gateway.receiver.receiver import Receiver
from gateway.receiver.subscriber import Access, Subscriber
from hil_tests.brokers import Amqtt, Mosquitto

pytestmark = pytest.mark.integration
_DEADLINE_S = 90.0


class _Judge:
    """A receiver in this process, stepped by the test."""

    def __init__(self, url: str, folder: Path) -> None:
        self._subscriber = Subscriber(Access(url), lambda _: None)
        self._files = Files(folder)
        self.receiver = Receiver(self._subscriber, self._files)
        self._subscriber.start()

    def until(self, done: Any) -> None:
        """Receive until `done` is true of the report."""
        deadline = time.monotonic() + _DEADLINE_S
        while not done(self.receiver.report()):
            assert time.monotonic() < deadline, self.receiver.report()
            self.receiver.step(0.02)

    def close(self) -> dict[str, Any]:
        report = self.receiver.finish()
        self._subscriber.stop()
        self._files.close()
        return report


class _Writer:
    """The small gateway in a process of its own."""

    def __init__(self, folder: Path, url: str, mode: str, count: int) -> None:
        self._command = [sys.executable, "-m", "gateway.tests.outbox_writer", str(folder), url, mode, str(count)]
        self._log = (folder.parent / "writer.log").open("ab")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        self._log.close()


@pytest.fixture(params=[Mosquitto, Amqtt])
def broker(request: pytest.FixtureRequest) -> Iterator[Mosquitto | Amqtt]:
    """A broker that keeps nothing over a restart."""
    with request.param() as broker:
        yield broker


def test_a_broker_that_dies_and_forgets_costs_nothing(broker: Mosquitto | Amqtt, tmp_path: Path) -> None:
    """2,000 records with acknowledgements through two kills of the broker: all arrive, none is lost."""
    judge = _Judge(broker.url, tmp_path / "received")
    writer = _Writer(tmp_path / "data", broker.url, "acks", 2000)
    try:
        for share in (200, 900):
            judge.until(lambda report, share=share: report["delivered"] > share)
            broker.restart()
        judge.until(lambda _: writer.process.poll() is not None)
        assert writer.process.returncode == 0
        report = judge.close()
        assert report["lost"] == 0
        assert report["delivered"] >= 2000
        assert report["gateways"]["test/g1"]["delivered"]["events"] > 10
        assert report["gateways"]["test/g1"]["state"] == "offline"
    finally:
        writer.close()


def test_a_dozen_kills_lose_nothing(tmp_path: Path) -> None:
    """A gateway killed with SIGKILL at a dozen seeded moments delivers everything that it had accepted."""
    chance = random.Random(20261121)
    broker = Mosquitto()
    broker.start()
    judge = _Judge(broker.url, tmp_path / "received")
    writer = _Writer(tmp_path / "data", broker.url, "acks", 4000)
    try:
        for _ in range(12):
            end = time.monotonic() + chance.uniform(0.3, 1.0)
            judge.until(lambda _, end=end: time.monotonic() > end)
            writer.kill()
            writer.start()
        judge.until(lambda _: writer.process.poll() is not None)
        assert writer.process.returncode == 0
        report = judge.close()
        assert report["lost"] == 0
        assert report["delivered"] >= 4000
        (epoch,) = report["gateways"]["test/g1"]["epochs"]
        assert epoch["missing"] == []
    finally:
        writer.close()
        broker.close()


def test_the_receiver_restarts_from_its_files(tmp_path: Path) -> None:
    """A receiver that ends and comes back knows what it had: the count goes on, nothing is lost or counted twice."""
    broker = Mosquitto()
    broker.start()
    judge = _Judge(broker.url, tmp_path / "received")
    writer = _Writer(tmp_path / "data", broker.url, "acks", 1500)
    try:
        judge.until(lambda report: report["delivered"] > 300)
        before = judge.close()
        judge = _Judge(broker.url, tmp_path / "received")
        assert judge.receiver.report()["delivered"] == before["delivered"]
        judge.until(lambda _: writer.process.poll() is not None)
        report = judge.close()
        assert (report["lost"], writer.process.returncode) == (0, 0)
        lines = (tmp_path / "received" / "events.jsonl").read_bytes().splitlines()
        assert len(lines) == report["gateways"]["test/g1"]["delivered"]["events"]
    finally:
        writer.close()
        broker.close()
