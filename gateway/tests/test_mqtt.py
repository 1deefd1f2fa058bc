"""The paho adapter against real brokers: versions, refusals, sentences, and no thread left behind."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.errors import ConfigurationError, TryAgain
from gateway.tests.certificates import Authority
from gateway.uplink.link import Arrived, Confirmed, Link, LinkEvent, Lost, Publication
from gateway.uplink.mqtt import PahoBroker
from gateway.uplink.settings import UplinkSettings, endpoint
from hil_tests.brokers import Amqtt, Mosquitto, free_port

_WILL = Publication("gewu/s/g/status", b"offline", retain=True)


def _settings(url: str, **more: object) -> UplinkSettings:
    return UplinkSettings(name="u", site="s", gateway="g", url=url, **more)  # type: ignore[arg-type]


def _broker(settings: UplinkSettings) -> PahoBroker:
    return PahoBroker(settings, SystemClock())


def _until(link: Link, wanted: Callable[[LinkEvent], bool]) -> list[LinkEvent]:
    """Everything that happened up to the first wanted event."""
    seen: list[LinkEvent] = []
    deadline = time.monotonic() + 20
    while not any(wanted(event) for event in seen):
        assert time.monotonic() < deadline, seen
        seen += link.take()
        time.sleep(0.01)
    return seen


@pytest.fixture(params=[Mosquitto, Amqtt])
def broker(request: pytest.FixtureRequest) -> Iterator[Mosquitto | Amqtt]:
    with request.param() as broker:
        yield broker


@pytest.mark.integration
def test_a_link_from_birth_to_loss(broker: Mosquitto | Amqtt) -> None:
    """Either broker confirms, passes on, and is missed when it dies; the version fits each."""
    link = _broker(_settings(broker.url)).connect(_WILL, lambda: None)
    link.subscribe(["gewu/s/g/acks"])
    token = link.publish(Publication("gewu/s/g/acks", b"x" * 68_000))
    events = _until(link, lambda event: isinstance(event, Arrived))
    events += [] if Confirmed(token) in events else _until(link, lambda event: event == Confirmed(token))
    (arrived,) = [event for event in events if isinstance(event, Arrived)]
    assert arrived.topic == "gewu/s/g/acks"
    assert len(arrived.payload) == 65_537  # cut: enough to see that it is too long
    broker.kill()
    _until(link, lambda event: isinstance(event, Lost))
    with pytest.raises(TryAgain):
        link.publish(Publication("t", b""))
    link.close()


@pytest.mark.integration
def test_an_unclean_end_publishes_the_will_and_reconnects_leave_nothing() -> None:
    """Fifty connections, half of them broken: no thread and no file more than before; the will is published."""
    with Mosquitto() as broker:
        maker = _broker(_settings(broker.url))
        watching = _broker(UplinkSettings(name="watcher", site="s", gateway="g", url=broker.url)).connect(
            None, lambda: None
        )
        watching.subscribe(["gewu/s/g/status"])
        maker.connect(_WILL, lambda: None).close()
        threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        for number in range(50):
            link = maker.connect(_WILL, lambda: None)
            if number % 2:
                link._client.socket().close()  # type: ignore[union-attr]  # the cable is pulled
            link.close()
        del link
        assert threading.active_count() <= threads  # fewer where an earlier test left something to the collector
        assert len(os.listdir("/proc/self/fd")) <= files  # noqa: PTH208
        will = _until(watching, lambda event: isinstance(event, Arrived))
        assert (_WILL.topic, _WILL.payload, False) in [arrived[:3] for arrived in will]
        watching.close()


@pytest.mark.integration
def test_a_refusal_is_one_sentence() -> None:
    """Without the right user the broker's no comes with what to check."""
    with Mosquitto(anonymous=False) as broker:
        maker = _broker(_settings(broker.url, username="mallory"))
        with pytest.raises(TryAgain, match=r"Uplink u to .* refuses user 'mallory'.*check username"):
            maker.connect(_WILL, lambda: None)


@pytest.mark.integration
def test_the_receive_maximum_of_mqtt_5_is_known() -> None:
    """mosquitto grants 20 unconfirmed publications by default, less where it is set so."""
    with Mosquitto(extra="max_inflight_messages 7") as broker:
        link = _broker(_settings(broker.url)).connect(_WILL, lambda: None)
        assert link.window == 7
        link.close()


def _tls(certificate: tuple[Path, Path], ca: Path) -> str:
    files = f"certfile {certificate[0]}\nkeyfile {certificate[1]}\ncafile {ca}"
    return f"{files}\nrequire_certificate true\n"


@pytest.mark.integration
def test_tls_with_certificates_on_both_ends(tmp_path: Path) -> None:
    """The right authority and address connect; a wrong host, an expired and a foreign certificate are named."""
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    cert, key = ours.issue("gateway", "127.0.0.9")
    reasons = {
        "good": (ours.issue("good", "127.0.0.1"), None),
        "host": (ours.issue("host", "127.0.0.2"), "is not accepted: .*IP address mismatch"),
        "old": (ours.issue("old", "127.0.0.1", days=-1), "is not accepted: certificate has expired"),
        "foreign": (theirs.issue("foreign", "127.0.0.1"), "is not accepted: unable to get local issuer"),
    }
    for certificate, reason in reasons.values():
        with Mosquitto(extra=_tls(certificate, ours.ca)) as broker:
            url = broker.url.replace("mqtt:", "mqtts:")
            maker = _broker(_settings(url, ca=ours.ca, cert=cert, key=key))
            if reason is None:
                link = maker.connect(_WILL, lambda: None)
                token = link.publish(Publication("t", b"x"))
                _until(link, lambda event, token=token: event == Confirmed(token))  # type: ignore[misc]
                link.close()
            else:
                with pytest.raises(TryAgain, match=reason):
                    maker.connect(_WILL, lambda: None)


def test_nobody_listens() -> None:
    """Connection refused says so, with the address."""
    port = free_port()
    with pytest.raises(TryAgain, match=f"127.0.0.1:{port}: connection refused"):
        _broker(_settings(f"mqtt://127.0.0.1:{port}")).connect(_WILL, lambda: None)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    """A missing CA or password file is named; the uplink keeps trying, so that it can be put there."""
    with pytest.raises(TryAgain, match=r"certificates .*none\.pem"):
        _broker(_settings("mqtts://127.0.0.1:1", ca=tmp_path / "none.pem")).connect(_WILL, lambda: None)
    settings = _settings("mqtt://127.0.0.1:1", username="u", password_file=tmp_path / "none.txt")
    with pytest.raises(TryAgain, match=r"password_file .*none\.txt"):
        _broker(settings).connect(_WILL, lambda: None)


@pytest.mark.parametrize(
    ("url", "text", "tls", "websocket"),
    [
        ("mqtt://broker", "mqtt://broker:1883", False, False),
        ("mqtts://broker", "mqtts://broker:8883", True, False),
        ("ws://broker/x", "ws://broker:80", False, True),
        ("wss://[::1]:9443", "wss://[::1]:9443", True, True),
    ],
)
def test_urls(url: str, text: str, tls: bool, websocket: bool) -> None:
    """Schemes, default ports and IPv6."""
    found = endpoint(url)
    assert (str(found), found.tls, found.websocket) == (text, tls, websocket)


@pytest.mark.parametrize("url", ["broker", "http://broker", "mqtt://", "mqtt://u:p@broker", "mqtt://broker:99999"])
def test_wrong_urls(url: str) -> None:
    """Refused with a sentence, also when a secret stands in it."""
    with pytest.raises(ConfigurationError):
        endpoint(url)
