"""One paho client from its connect to its end; its callbacks only fill a queue.

It holds what delivery's window allows and no more, and never reconnects by itself.
"""

import ipaddress
import logging
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.errors import TryAgain
from gateway.uplink.link import Arrived, Confirmed, LinkEvent, Lost, Publication, Refused
from gateway.uplink.native import MOST_BYTES_DOWN

_log = logging.getLogger(__name__)
# What a broker that does not say grants: MQTT 5, section 3.2.2.3.3, and no limit before it.
_MOST_WINDOW = 65535
# What comes down is small; a broker must not push more at us than its size and some headers.
_MOST_PAYLOAD = max(MOST_BYTES_DOWN.values())
_MOST_INBOUND = _MOST_PAYLOAD + 4096
# And not more of it at a time than this before we have dealt with it.
_MOST_UNTAKEN = 20
_MOST_PACKET = 268_435_455  # MQTT 5, section 2.1.4
# A broker that answers so will never take this message, whoever sends it: MQTT 5, section 2.4.
_PACKET_TOO_LARGE = 0x95
_FOR_GOOD = frozenset({0x90, _PACKET_TOO_LARGE, 0x99})  # topic name invalid, payload format invalid
_DISCONNECT_WAIT_S = 1.0
_VERSION_WAIT_S = 1.0


class VersionRefused(Exception):
    """The broker does not speak this version of MQTT, or hung up before it said anything."""


class ConnectRefused(Exception):
    """The broker said no, and why."""


class Client(paho.Client):
    """paho's client, over a network interface or from an own address, and quicker to miss its broker."""

    source: str | None = None

    def notice_within(self, seconds: float) -> None:
        """Ping so that a broker that vanished is missed within `seconds`.

        paho pings after the keep-alive and waits as long again for the answer; half of it notices in one.
        """
        self._keepalive = max(1, min(int(seconds), self._keepalive or int(seconds)) // 2)

    def _create_socket_connection(self) -> socket.socket:
        if self.source is None:
            return super()._create_socket_connection()
        return _connected_from(self.source, self._host, self._port, self._connect_timeout)


def _connected_from(source: str, host: str, port: int, timeout: float) -> socket.socket:
    """A TCP connection from the own address or through the network interface `source`. Raises OSError."""
    try:
        ipaddress.ip_address(source)
    except ValueError:
        return _connected_through(source, host, port, timeout)
    return socket.create_connection((host, port), timeout, source_address=(source, 0))


def _connected_through(interface: str, host: str, port: int, timeout: float) -> socket.socket:
    problem: OSError | None = None
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        made = socket.socket(family, kind, protocol)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
            made.settimeout(timeout)
            made.connect(address)
        except OSError as error:
            made.close()
            problem = error
        else:
            return made
    raise problem or OSError(f"{host} has no address")


def can_reach(host: str, port: int, source: str | None, timeout: float) -> bool:
    """Whether somebody accepts connections there."""
    try:
        if source is None:
            socket.create_connection((host, port), timeout).close()
        else:
            _connected_from(source, host, port, timeout).close()
    except OSError:
        return False
    return True


class PahoLink:
    """One paho client from its connect to its end; its callbacks only fill a queue."""

    def __init__(self, client: Client, version: MQTTProtocolVersion, wake: Callable[[], None]) -> None:
        self._client = client
        self._version = version
        self._wake = wake
        self._events: queue.SimpleQueue[LinkEvent] = queue.SimpleQueue()
        self._answer: queue.SimpleQueue[ReasonCode | str] = queue.SimpleQueue()
        self._ended = threading.Event()
        self.window = _MOST_WINDOW
        self.most_bytes = _MOST_PACKET
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe

    def open(self, host: str, port: int, keepalive: int, timeout: float, session: int = 0) -> None:
        """Connect and wait for the broker's word. Raises OSError, VersionRefused or ConnectRefused.

        With `session` the broker keeps what comes down for so many seconds (3.1.1: as long as it likes).
        """
        began = time.monotonic()
        if self._version == MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = _MOST_INBOUND
            properties.ReceiveMaximum = _MOST_UNTAKEN
            properties.SessionExpiryInterval = session
            self._client.connect(host, port, keepalive, clean_start=not session, properties=properties)
            # Some brokers of 3.1.1 (amqtt) neither answer nor hang up: a wait in proportion to the network's
            # own delay tells them from a slow one.
            patience = min(timeout, max(_VERSION_WAIT_S, 10 * (time.monotonic() - began)))
        else:
            patience = timeout
            self._client.connect(host, port, keepalive)
        self._client.loop_start()
        try:
            answer = self._answer.get(timeout=patience)
        except queue.Empty:
            if self._version == MQTTProtocolVersion.MQTTv5:
                raise VersionRefused("it does not answer") from None
            raise TimeoutError("no CONNACK") from None
        if isinstance(answer, str) or answer == "Unsupported protocol version":
            # Brokers of 3.1.1 often just hang up on a version that they do not know.
            raise VersionRefused(str(answer))
        if answer.is_failure:
            raise ConnectRefused(str(answer))
        self._client.notice_within(keepalive)

    def publish(self, publication: Publication) -> int:
        """See `Link`."""
        info = self._client.publish(publication.topic, publication.payload, publication.qos, publication.retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise TryAgain(f"the connection broke while sending ({paho.error_string(info.rc)})")
        return info.mid

    @property
    def ends(self) -> datetime | None:
        """See `Link`."""
        found = self._client.socket()
        certificate = found.getpeercert() if isinstance(found, ssl.SSLSocket) else None
        until = certificate.get("notAfter") if certificate else None
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(until), tz=UTC) if isinstance(until, str) else None

    def taken(self, arrived: Arrived) -> None:
        """See `Link`."""
        if arrived.token:
            self._client.ack(arrived.token, 1)

    def subscribe(self, topics: Sequence[str]) -> None:
        """See `Link`."""
        rc, _ = self._client.subscribe([(topic, 1) for topic in topics])
        if rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise TryAgain(f"the connection broke while subscribing ({paho.error_string(rc)})")

    def take(self) -> list[LinkEvent]:
        """See `Link`."""
        taken = []
        while True:
            try:
                taken.append(self._events.get_nowait())
            except queue.Empty:
                return taken

    def close(self) -> None:
        """See `Link`. Joins paho's thread, so that a thousand reconnects leave none behind."""
        self._client.disconnect()
        self._ended.wait(_DISCONNECT_WAIT_S if self._client.socket() is not None else 0)
        _drop_socket(self._client)
        self._client.loop_stop()
        # Without these the client and we hold one another, and its wake-up sockets stay open until some
        # later garbage collection.
        client = self._client
        client.on_connect = client.on_disconnect = client.on_publish = None
        client.on_message = client.on_subscribe = None

    # --- paho's thread: callbacks only pass on --------------------------------------------------------

    def _on_connect(self, client: Any, _data: Any, _flags: Any, code: ReasonCode, properties: Any) -> None:
        self.window = getattr(properties, "ReceiveMaximum", _MOST_WINDOW)
        self.most_bytes = getattr(properties, "MaximumPacketSize", _MOST_PACKET)
        self._answer.put(code)

    def _on_disconnect(self, client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        self._answer.put(f"connection closed: {code}")
        # paho calls a broken connection "Unspecified error": that the connection is lost says as much.
        why = "" if str(code) in ("Unspecified error", "Normal disconnection") else f" ({code})"
        silent = str(code) == "Keep alive timeout"
        self._put(Lost(f"the connection to the broker is lost{why}", code.value == _PACKET_TOO_LARGE, silent))
        self._ended.set()

    def _on_publish(self, client: Any, _data: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        self._put(Refused(mid, str(code), code.value in _FOR_GOOD) if code.is_failure else Confirmed(mid))

    def _on_message(self, client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        # One byte more than a message may have is enough to see that it is too long.
        payload = bytes(message.payload[: _MOST_PAYLOAD + 1])
        self._put(Arrived(message.topic, payload, message.retain, message.mid if message.qos else 0))

    def _on_subscribe(self, client: Any, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        if any(code.is_failure for code in codes):
            _log.warning("the broker refuses one of our subscriptions (%s): check its access rules", codes)

    def _put(self, event: LinkEvent) -> None:
        self._events.put(event)
        self._wake()


def _drop_socket(client: paho.Client) -> None:
    """A broker that stopped answering must not keep paho's thread: without its socket it ends."""
    sock = client.socket()
    if sock is None:
        return
    try:
        # A websocket wrapper has no shutdown of its own; its close does the same.
        sock.shutdown(socket.SHUT_RDWR) if hasattr(sock, "shutdown") else sock.close()
    except OSError:
        pass  # it was gone already
