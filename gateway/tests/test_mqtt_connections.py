"""Connections as they are in the field: websockets, versions, rotated authorities, sessions, limits of the broker."""

import time
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.errors import TryAgain
from gateway.tests.certificates import Authority
from gateway.tests.test_mqtt import _until
from gateway.uplink.link import Arrived, Confirmed, Link, Lost, Publication
from gateway.uplink.mqtt import PahoBroker, broker_of
from gateway.uplink.mqtt_link import PahoLink, can_reach
from gateway.uplink.settings import UplinkSettings, Way
from hil_tests.brokers import Mosquitto, free_port

pytestmark = pytest.mark.integration
_TOPIC = "gewu/s/g/inbox"


def _settings(url: str, **more: object) -> UplinkSettings:
    return UplinkSettings(name="u", site="s", gateway="g", url=url, **more)  # type: ignore[arg-type]


def _connected(url: str, **more: object) -> PahoLink:
    return PahoBroker(_settings(url, **more), SystemClock()).connect(None, lambda: None)


def _listens(*ports: int) -> None:
    """Wait for listeners that mosquitto opens after its first."""
    deadline = time.monotonic() + 20
    while not all(can_reach("127.0.0.1", port, None, 1.0) for port in ports):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _sent(link: Link, payload: bytes = b"x", topic: str = "t") -> None:
    """Publish, and wait for the confirmation."""
    token = link.publish(Publication(topic, payload))
    _until(link, lambda event: event == Confirmed(token))


def test_websockets_plain_and_encrypted(tmp_path: Path) -> None:
    """ws and wss carry publications against mosquitto's own listeners, with host name check."""
    authority = Authority(tmp_path / "ca")
    (cert, key), plain, secret = authority.issue("broker", "127.0.0.1"), free_port(), free_port()
    files = f"certfile {cert}\nkeyfile {key}\ncafile {authority.ca}"
    extra = (
        f"listener {plain} 127.0.0.1\nprotocol websockets\nlistener {secret} 127.0.0.1\nprotocol websockets\n{files}"
    )
    with Mosquitto(extra=extra):
        _listens(plain, secret)
        for url in (f"ws://127.0.0.1:{plain}/mqtt", f"wss://127.0.0.1:{secret}/mqtt"):
            link = _connected(url, ca=authority.ca if url.startswith("wss") else None)
            _sent(link, b"x" * 30_000)
            link.close()


@pytest.mark.parametrize(("version", "most"), [("5", 20), ("3.1.1", 65535)])
def test_one_version_alone(version: str, most: int) -> None:
    """The version that is asked for is spoken: only MQTT 5 names a receive maximum."""
    with Mosquitto() as broker:
        link = _connected(broker.url, mqtt=version)
        assert link.window == most
        link.close()


def _tls(certificate: tuple[Path, Path], ca: Path) -> str:
    return f"certfile {certificate[0]}\nkeyfile {certificate[1]}\ncafile {ca}\nrequire_certificate true\n"


def test_a_rotated_authority_and_a_renewed_certificate_need_no_restart(tmp_path: Path) -> None:
    """C7: the same settings fail with a named reason until the files are replaced, then connect."""
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    ca, cert, key = tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "cert.key"

    def put(name: str, days: int) -> None:
        for source, file in zip(new.issue(name, "127.0.0.9", days=days), (cert, key), strict=True):
            file.write_bytes(source.read_bytes())

    ca.write_bytes(old.ca.read_bytes())
    put("expired", days=-3)
    with Mosquitto(extra=_tls(new.issue("broker", "127.0.0.1", days=9), new.ca)) as broker:
        settings = _settings(broker.url.replace("mqtt:", "mqtts:"), ca=ca, cert=cert, key=key)
        maker = PahoBroker(settings, SystemClock())
        with pytest.raises(TryAgain, match=r"our certificate .*cert\.pem expired on .*put the renewed one"):
            maker.connect(None, lambda: None)
        put("early", days=60)
        with pytest.raises(TryAgain, match=r"our certificate .* is valid from .* on: this gateway's clock says"):
            maker.connect(None, lambda: None)
        put("renewed", days=20)
        with pytest.raises(TryAgain, match=r"if the authority was changed, put its new certificate into .*ca\.pem"):
            maker.connect(None, lambda: None)
        ca.write_bytes(old.ca.read_bytes() + new.ca.read_bytes())
        link = maker.connect(None, lambda: None)
        _sent(link)
        assert link.ends is not None
        link.close()


class _Past(SystemClock):
    def wall_ms(self) -> int:
        return 86_400_000


def test_a_certificate_that_time_refuses_names_the_clock(tmp_path: Path) -> None:
    """Expired, or the gateway's clock is wrong: the sentence shows what the clock says."""
    authority = Authority(tmp_path / "ca")
    with Mosquitto(extra=_tls(authority.issue("old", "127.0.0.1", days=-1), authority.ca)) as broker:
        settings = _settings(broker.url.replace("mqtt:", "mqtts:"), ca=authority.ca)
        with pytest.raises(TryAgain, match="has expired; this gateway's clock says 1970-01-02 00:00 UTC"):
            PahoBroker(settings, _Past()).connect(None, lambda: None)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_what_comes_down_waits_for_us_and_comes_again(version: str) -> None:
    """Sent while we were away it arrives; not confirmed by us it arrives again; confirmed it does not."""
    with Mosquitto() as broker:
        sender = PahoBroker(UplinkSettings(name="v", site="s", gateway="v", url=broker.url), SystemClock()).connect(
            None, lambda: None
        )
        link = _connected(broker.url, mqtt=version)
        link.subscribe([_TOPIC])
        _sent(link)
        link.close()
        _sent(sender, b"while you were away", _TOPIC)
        for last in (False, True):
            link = _connected(broker.url, mqtt=version)
            arrived = [e for e in _until(link, lambda e: isinstance(e, Arrived)) if isinstance(e, Arrived)]
            assert [one.payload for one in arrived] == [b"while you were away"]
            if last:
                link.taken(arrived[0])
                _sent(link)
            link.close()
        link = _connected(broker.url, mqtt=version)
        _sent(sender, b"the next", _TOPIC)
        (first, *_rest) = [e for e in _until(link, lambda e: isinstance(e, Arrived)) if isinstance(e, Arrived)]
        assert first.payload == b"the next"
        link.close()
        sender.close()


@pytest.mark.parametrize("source", ["127.0.0.1", "lo"])
def test_an_own_address_or_interface(source: str) -> None:
    """The connection leaves through the one that is named; one that is not there is a sentence."""
    with Mosquitto() as broker:
        link = _connected(broker.url, source=source)
        _sent(link)
        link.close()
        with pytest.raises(TryAgain, match="no connection"):
            _connected(broker.url, source="nope0")


def test_the_second_way_carries_while_the_first_is_gone() -> None:
    """Two brokers: the first is taken again when it is back."""
    with Mosquitto() as first, Mosquitto() as second:
        settings = _settings(first.url, fallback=Way(second.url))
        broker = broker_of(settings, SystemClock())
        first.kill()
        link = broker.connect(None, lambda: None)
        _sent(link)
        assert broker.fallback
        link.close()
        first.start()
        link = broker.connect(None, lambda: None)
        assert not broker.fallback
        link.close()


@pytest.mark.parametrize(("version", "limit"), [("5", "message_size_limit 2000"), ("3.1.1", "max_packet_size 2000")])
def test_a_message_above_the_broker_s_limit(version: str, limit: str) -> None:
    """C6: the connection ends without a reason that could be used, and not as a network that fell silent.

    mosquitto 2.0 answers the former with a reason code that a PUBACK must not have, so paho hangs up.
    """
    with Mosquitto(extra=limit) as broker:
        link = _connected(broker.url, mqtt=version)
        _sent(link, b"x" * 1000)
        link.publish(Publication("t", b"x" * 5000))
        _until(link, lambda event: isinstance(event, Lost) and not event.silent)
        link.close()


def test_a_limit_that_the_broker_names_is_known() -> None:
    """With MQTT 5 nothing above the maximum packet size need ever be sent."""
    with Mosquitto(extra="max_packet_size 3000") as broker:
        link = _connected(broker.url)
        assert link.most_bytes == 3000
        link.close()
