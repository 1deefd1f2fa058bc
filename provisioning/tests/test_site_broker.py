"""The generated broker files in Debian's mosquitto: who gets in, and pair by pair who may publish and read what."""

import os
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from hil_tests.brokers import Mosquitto
from provisioning.site.authority import Authority
from provisioning.site.broker import DOWN, SERVER_NAME, UP, access, configuration
from provisioning.site.model import read_site
from provisioning.tests.site_sample import write_site

pytestmark = pytest.mark.integration
WAIT_S = 30.0
WHO = ("qingxi-01", "qingxi-02", "county", "duty")
TOPICS = [
    f"gewu/{site}/{gateway}/{name.replace('+', 'x')}"
    for site in ("qingxi", "other")
    for gateway in ("qingxi-01", "qingxi-02")
    for name in (*UP, *DOWN, "unknown")
]
# What contract section 4 and docs/mqtt.md say, by the client's part in it.
SENT = {"status", "health", "readings", "events", "cases", "gaps", "corrections", "replies"}
ASKED = {"acks", "replay", "inbox", "commands"}


def may_write(who: str, topic: str) -> bool:
    _, site, gateway, name = topic.split("/", 4)[:4]
    if site != "qingxi":
        return False
    writes = {"county": {"acks", "replay"}, "duty": {"inbox", "commands"}}
    return name in writes[who] if who in writes else gateway == who and name in SENT


def may_read(who: str, topic: str) -> bool:
    _, site, gateway, name = topic.split("/", 4)[:4]
    if site != "qingxi":
        return False
    reads = {"county": SENT, "duty": {"replies"}}
    return name in reads[who] if who in reads else gateway == who and name in ASKED


class Peer:
    """One client with a certificate; `heard` are the topics that came, `denied` those that it may not publish on."""

    def __init__(self, name: str, port: int, folder: Path, key: str | None = None) -> None:
        self.heard: set[str] = set()
        self.refused: Any = None
        self._codes: dict[int, int] = {}
        self._happened = threading.Condition()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=f"test-{name}", protocol=MQTTv5)
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        if key is not None:
            context.load_cert_chain(folder / f"{key}.pem", folder / f"{key}.key")
        self._client.tls_set_context(context)
        self._client.on_subscribe = lambda *_: self._tell("subscribed")
        self._client.on_message = lambda _c, _u, message: self._tell(message.topic)
        self._client.on_publish = lambda _c, _u, mid, code, _p: self._acknowledged(mid, code.value)
        self._client.connect("localhost", port)
        self._client.loop_start()
        self._client.subscribe("gewu/#", qos=1)
        self.until("subscribed")

    def _tell(self, topic: str) -> None:
        with self._happened:
            self.heard.add(topic)
            self._happened.notify_all()

    def _acknowledged(self, mid: int, code: int) -> None:
        with self._happened:
            self._codes[mid] = code
            self._happened.notify_all()

    def until(self, topic: str) -> None:
        with self._happened:
            assert self._happened.wait_for(lambda: topic in self.heard, WAIT_S), topic

    def publish(self, topic: str) -> bool:
        """Whether the broker took it (0x87 is "not authorized")."""
        mid = self._client.publish(topic, b"{}", qos=1).mid
        with self._happened:
            assert self._happened.wait_for(lambda: mid in self._codes, WAIT_S), topic
        return self._codes[mid] != 0x87

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Mosquitto, Path, Authority]]:
    """mosquitto with the files of the sample site, on loopback; the folder with every certificate."""
    file = write_site(tmp_path)
    authority = Authority(tmp_path / "qingxi.keys", "qingxi", datetime.now(UTC))
    for who in WHO:
        authority.client(who)
    authority.server(SERVER_NAME, ["localhost"])
    (authority.folder / "acl").write_text(access(read_site(file)), encoding="utf-8")
    with_user = "user root\n" if os.geteuid() == 0 else ""
    broker = Mosquitto()
    text = with_user + configuration(broker.port, str(authority.folder), "127.0.0.1")
    (broker.folder / "mosquitto.conf").write_text(text, encoding="utf-8")
    with broker:
        yield broker, authority.folder, authority


def test_pair_by_pair(site: tuple[Mosquitto, Path, Authority]) -> None:
    """Every client tries every topic of both gateways and of another site: it may do just what its part asks."""
    broker, folder, _ = site
    peers = {who: Peer(who, broker.port, folder, who) for who in WHO}
    try:
        for who, peer in peers.items():
            for topic in TOPICS:
                assert peer.publish(topic) == may_write(who, topic), (who, topic)
        # A broker keeps the order: once the last one that it may read is there, so is everything else.
        for who, peer in peers.items():
            wanted = {t for t in TOPICS if may_read(who, t) and any(may_write(other, t) for other in WHO)}
            for topic in wanted:
                peer.until(topic)
            assert peer.heard - {"subscribed"} == wanted, who
    finally:
        for peer in peers.values():
            peer.close()


def test_who_gets_in(site: tuple[Mosquitto, Path, Authority]) -> None:
    """Nobody without a certificate of this authority; a revoked one no more once its list is there."""
    broker, folder, authority = site
    foreign = Authority(folder.parent / "foreign", "elsewhere", datetime.now(UTC))
    for name in ("ca", "qingxi-01"):  # a certificate of another authority over the same name
        foreign.client("qingxi-01")
        (folder / f"foreign-{name}.pem").write_bytes((foreign.folder / f"{name}.pem").read_bytes())
    (folder / "foreign-qingxi-01.key").write_bytes((foreign.folder / "qingxi-01.key").read_bytes())
    assert not connects(broker.port, folder, None)
    assert not connects(broker.port, folder, "foreign-qingxi-01")
    assert connects(broker.port, folder, "qingxi-02")
    copy = [(folder / name, (folder / name).read_bytes()) for name in ("qingxi-02.pem", "qingxi-02.key")]
    assert authority.revoke("qingxi-02")
    for file, content in copy:  # the stolen Raspberry Pi still has them
        file.write_bytes(content)
    broker.restart()
    assert not connects(broker.port, folder, "qingxi-02")
    assert connects(broker.port, folder, "qingxi-01")


def connects(port: int, folder: Path, key: str | None) -> bool:
    """Whether the broker greets a client with this certificate: CONNECT of MQTT 3.1.1 out, CONNACK with code 0 in."""
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    if key is not None:
        context.load_cert_chain(folder / f"{key}.pem", folder / f"{key}.key")
    with socket.create_connection(("localhost", port), timeout=WAIT_S) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as line:
                line.sendall(b"\x10\x11\x00\x04MQTT\x04\x02\x00\x3c\x00\x05knock")
                return line.recv(4) == b"\x20\x02\x00\x00"
        except (ssl.SSLError, ConnectionError):  # with TLS 1.3 a refused certificate shows at the first read
            return False
