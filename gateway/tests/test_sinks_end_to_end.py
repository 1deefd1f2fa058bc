"""Sinks in a running gateway, and under real kills."""

import json
import threading
import time
from pathlib import Path

import pytest

from gateway.agent import Agent
from gateway.clock import SystemClock
from gateway.config import load
from gateway.tests.killing import killed_and_drained
from gateway.tests.outbox_samples import event, reading
from gateway.tests.test_webhook import Server

pytestmark = pytest.mark.integration
_DEADLINE_S = 60.0


def test_a_gateway_fills_its_sinks(tmp_path: Path) -> None:
    """A webhook and CSV files beside no uplink at all: each gets everything, the books balance, it stops in order."""
    server = Server()
    (tmp_path / "secret").write_text("s")
    file = tmp_path / "gewu.toml"
    file.write_text(
        '[gateway]\nid = "a"\nsite = "s"\ndata_dir = "data"\n'
        f'[[sink]]\nname = "office"\ntype = "webhook"\nurl = "{server.url}"\nsecret_file = "secret"\nmax_delay = 0.0\n'
        '[[sink]]\nname = "archive"\ntype = "csv"\nfolder = "archive"\nmax_delay = 0.0\n'
        '[sink.filter]\nkinds = ["events"]\n'
    )
    agent, stop = Agent(load(file), SystemClock()), threading.Event()
    running = threading.Thread(target=agent.run, args=(stop,))
    running.start()
    try:
        for number in range(300):
            agent.outbox.put_reading(reading(number))
        agent.outbox.accept_event(event(), "k")
        agent.outbox.flush()
        deadline = time.monotonic() + _DEADLINE_S
        while agent.outbox.stats().queued:
            assert time.monotonic() < deadline, agent.status()["sinks"]
            time.sleep(0.02)
        sinks = {sink["name"]: sink for sink in agent.status()["sinks"]}
    finally:
        stop.set()
        running.join()
        server.close()
    told = [one for _, _, body in server.posts for one in json.loads(body)["messages"]]
    assert sum(len(one["content"]["readings"]) for one in told if one["kind"] == "readings") == 300
    assert [one["content"]["kind"] for one in told if one["kind"] == "events"] == ["trip.overcurrent"]
    assert all("X-Gewu-Signature" in headers for _, headers, _ in server.posts)
    (events,) = (tmp_path / "archive").iterdir()
    assert events.name.startswith("events-")
    assert [line.split(",")[3] for line in events.read_text(encoding="utf-8-sig").splitlines()] == [
        "kind", "trip.overcurrent",
    ]  # fmt: skip
    assert all(sink["trouble"] is None and sink["set_aside"] == 0 for sink in sinks.values())


def test_kills_neither_lose_nor_double_a_line(tmp_path: Path) -> None:
    """SIGKILL at eight seeded moments: in the end every accepted reading stands in the files once."""
    accepted = killed_and_drained(tmp_path)
    files = sorted((tmp_path / "files").iterdir())
    lines = [json.loads(line) for file in files for line in file.read_bytes().splitlines()]
    assert sorted(line["n"] for line in lines) == list(range(1, accepted + 1))
    assert sorted(line["values"]["number"] for line in lines) == list(range(accepted))
    places = [(line["seq"], line["row"]) for line in lines]
    assert places == sorted(places)
