"""`gewu outbox`, `gewu receive` and `gewu decode` as people type them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import SystemClock
from gateway.records import Message, rfc3339
from gateway.tests.fake_clock import FakeClock
from gateway.tests.outbox_samples import Route, event, opened, reading
from gateway.uplink import UplinkSettings, native
from gateway.uplink.link import Publication
from gateway.uplink.mqtt import PahoBroker
from hil_tests.brokers import Mosquitto

pytestmark = pytest.mark.integration


def _gewu(*words: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
    done = subprocess.run([sys.executable, "-m", "gateway", *words], input=stdin, capture_output=True, timeout=60)
    return done.returncode, done.stdout, done.stderr.decode()


def _configured(folder: Path) -> str:
    file = folder / "gewu.toml"
    file.write_text(f'[gateway]\nid = "g1"\nsite = "test"\ndata_dir = "{folder / "data"}"\n', encoding="utf-8")
    return str(file)


def test_outbox_at_rest(tmp_path: Path) -> None:
    """Before the first run a sentence; then the counts of the contract, and every record as a JSON line."""
    config = _configured(tmp_path)
    status, _, said = _gewu("outbox", "stats", "--config", config)
    assert (status, "no outbox" in said) == (1, True)
    outbox = opened(tmp_path / "data", FakeClock(), Route(max_delay=0))
    for number in range(5):
        outbox.put_reading(reading(number))
    outbox.accept_event(event(), "k")
    outbox.next_messages("county", 1, 0)
    outbox.mark_delivered("county", [1])
    outbox.close()
    status, out, _ = _gewu("outbox", "stats", "--config", config, "--json")
    found = json.loads(out)
    assert status == 0
    assert found.pop("bytes") > 0
    assert found == {
        "accepted": 6, "delivered": 1, "queued": 5, "dropped": 0, "oldest": rfc3339(1_795_000_000_000), "inbox": 0,
    }  # fmt: skip
    status, out, _ = _gewu("outbox", "export", "--config", config)
    lines = [json.loads(line) for line in out.splitlines()]
    assert (status, [(line["stream"], line["n"]) for line in lines]) == (
        0, [("readings", n) for n in range(1, 6)] + [("events", 1)],
    )  # fmt: skip
    status, out, _ = _gewu("outbox", "export", "--config", config, "--json")
    assert json.loads(out) == lines


def test_decode() -> None:
    """One payload in, JSON out; anything else is a sentence and exit status 1."""
    message = Message(epoch="e", seq=1, sent=0, boot="b", first=1, records=(reading(1),))
    _, payload = native.encode(message)
    status, out, _ = _gewu("decode", stdin=payload)
    assert (status, json.loads(out)) == (0, json.loads(payload))
    for wrong in (b"", b"\x01\x02", b'{"a": 1}'):
        status, out, said = _gewu("decode", stdin=wrong)
        assert (status, out) == (1, b"")
        assert said.startswith("gewu: ")
        assert "Traceback" not in said


def _receive(broker: Mosquitto, into: object, *more: str, lose: int | None) -> tuple[int, dict[str, Any]]:
    """What `gewu receive` says of ten messages, of which one may be lost."""
    command = [sys.executable, "-m", "gateway", "receive", "--url", broker.url, "--into", str(into), *more, "--json"]
    with subprocess.Popen([*command, "--for", "3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as receiver:
        assert receiver.stderr is not None
        assert receiver.stderr.readline().startswith(b"gewu: Connected")
        link = PahoBroker(UplinkSettings(name="u", site="test", gateway="g1", url=broker.url), SystemClock()).connect(
            Publication("gewu/test/g1/status", native.encode_status("offline", 0, "1", "b"), retain=True), lambda: None
        )
        for seq in range(1, 11):
            if seq != lose:
                records = (reading(seq),)
                kind, payload = native.encode(Message(epoch="e", seq=seq, sent=0, boot="b", first=seq, records=records))
                link.publish(Publication(native.topic("test", "g1", kind), payload))
        out, _ = receiver.communicate(timeout=60)
        link.close()
    return receiver.returncode, json.loads(out)


def test_receive_proves_completeness(tmp_path: Path) -> None:
    """Everything there: exit 0; one message missing: exit 1, and the report says which."""
    with Mosquitto() as broker:
        status, report = _receive(broker, tmp_path / "whole", lose=None)
        assert (status, report["delivered"], report["lost"]) == (0, 10, 0)
        assert len((tmp_path / "whole" / "readings.jsonl").read_text().splitlines()) == 10
        assert json.loads((tmp_path / "whole" / "report.json").read_text()) == report
    with Mosquitto() as broker:
        file = tmp_path / "report.json"
        url = f"sqlite:///{tmp_path / 'centre.db'}"
        status, report = _receive(broker, url, "--report", str(file), lose=4)
        assert (status, report["delivered"], report["lost"]) == (1, 9, 1)
        assert json.loads(file.read_text()) == report
        assert ["readings", 4, 4] in report["gateways"]["test/g1"]["missing"]


def test_a_receiver_that_was_never_connected_proves_nothing() -> None:
    """No broker there: the report is empty, and the exit status says that this is no good news."""
    status, out, said = _gewu("receive", "--url", "mqtt://127.0.0.1:1", "--for", "0.5", "--json")
    assert (status, json.loads(out)["delivered"]) == (1, 0)
    assert "mqtt://127.0.0.1:1 was never reached" in said


def test_receive_says_what_is_wrong(tmp_path: Path) -> None:
    """A wrong URL, a database, a folder in use: a sentence and exit status 2."""
    for words in (["--url", "nonsense"], ["--url", "mqtt://127.0.0.1:1", "--into", "nosuchdb://x"], []):
        status, _, said = _gewu("receive", *words)
        assert (status, "Traceback" in said) == (2, False)
        assert said.startswith("gewu: ")
