"""The broker through paho-mqtt: one new client a connection, MQTT 5 first and 3.1.1 where that is refused.

paho's memory is never a queue: it holds what delivery's window allows and no more, and it never reconnects
by itself. Every failure becomes one sentence.
"""

import logging
import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.errors import TryAgain
from gateway.uplink.link import Arrived, Confirmed, LinkEvent, Lost, Publication, Refused
from gateway.uplink.native import MOST_BYTES_DOWN
from gateway.uplink.settings import UplinkSettings, endpoint

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
_FOR_GOOD = frozenset({0x90, 0x95, 0x99})  # topic name invalid, packet too large, payload format invalid
_DISCONNECT_WAIT_S = 1.0
_VERSION_WAIT_S = 1.0


class PahoBroker:
    """Makes links to the broker of one uplink."""

    def __init__(self, settings: UplinkSettings) -> None:
        self._settings = settings
        self._endpoint = endpoint(settings.url)
        # The version that worked last comes first, so that an old broker costs one refused attempt in all.
        self._versions = [MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311]

    def connect(self, will: Publication | None, wake: Callable[[], None]) -> "PahoLink":
        """See `Broker`. Raises TryAgain."""
        first, second = self._versions
        try:
            return self._attempt(first, will, wake)
        except _VersionRefused:
            _log.info("uplink %s: the broker refuses %s, trying %s", self._settings.name, first.name, second.name)
        except TryAgain:
            raise
        try:
            link = self._attempt(second, will, wake)
        except _VersionRefused as error:
            raise TryAgain(self._sentence(f"the broker ends the connection at once ({error})")) from error
        self._versions = [second, first]
        return link

    def _attempt(self, version: MQTTProtocolVersion, will: Publication | None, wake: Callable[[], None]) -> "PahoLink":
        link = PahoLink(self._client(version, will), version, wake)
        try:
            link.open(
                self._endpoint.host, self._endpoint.port, self._settings.keepalive, self._settings.connect_timeout
            )
        except _VersionRefused:
            link.close()
            raise
        except _ConnectRefused as error:
            link.close()
            raise TryAgain(self._sentence(self._refusal(str(error)))) from error
        except TimeoutError as error:
            link.close()
            raise TryAgain(self._sentence("no answer: check the address, the network and the firewall")) from error
        except (OSError, ValueError) as error:
            link.close()
            raise TryAgain(self._sentence(_network_reason(error))) from error
        return link

    def _client(self, version: MQTTProtocolVersion, will: Publication | None) -> paho.Client:
        settings = self._settings
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=None if version == MQTTProtocolVersion.MQTTv5 else True,
            protocol=version,
            transport="websockets" if self._endpoint.websocket else "tcp",
            reconnect_on_failure=False,
            manual_ack=True,  # what comes down is confirmed when it is dealt with, not when it is here
        )
        client.connect_timeout = settings.connect_timeout
        client.max_inflight_messages_set(0)  # delivery bounds what is in flight
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        if self._endpoint.websocket:
            client.ws_set_options(path=self._endpoint.path)
        if settings.username is not None:
            client.username_pw_set(settings.username, self._password())
        if self._endpoint.tls:
            client.tls_set_context(self._tls())
        return client

    def _password(self) -> str | None:
        """Read anew for each connection, so that a changed password needs no restart."""
        if self._settings.password_file is None:
            return None
        try:
            return self._settings.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise TryAgain(self._sentence(f"password_file {self._settings.password_file}: {error}")) from error

    def _tls(self) -> ssl.SSLContext:
        settings = self._settings
        try:
            context = ssl.create_default_context(cafile=str(settings.ca) if settings.ca else None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.sslsocket_class = _ClosingSocket
            if settings.cert is not None:
                context.load_cert_chain(settings.cert, settings.key)
        except (OSError, ssl.SSLError) as error:
            files = ", ".join(str(file) for file in (settings.ca, settings.cert, settings.key) if file)
            raise TryAgain(self._sentence(f"its certificates ({files}) cannot be used: {error}")) from error
        return context

    def _refusal(self, reason: str) -> str:
        who = f"user {self._settings.username!r}" if self._settings.username else "a client without a user name"
        return f"the broker refuses {who} ({reason}): check username, password_file and the broker's access rules"

    def _sentence(self, why: str) -> str:
        return f"Uplink {self._settings.name} to {self._endpoint}: {why}."


class PahoLink:
    """One paho client from its connect to its end; its callbacks only fill a queue."""

    def __init__(self, client: paho.Client, version: MQTTProtocolVersion, wake: Callable[[], None]) -> None:
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

    def open(self, host: str, port: int, keepalive: int, timeout: float) -> None:
        """Connect and wait for the broker's word. Raises OSError, _VersionRefused or _ConnectRefused."""
        began = time.monotonic()
        if self._version == MQTTProtocolVersion.MQTTv5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = _MOST_INBOUND
            properties.ReceiveMaximum = _MOST_UNTAKEN
            self._client.connect(host, port, keepalive, clean_start=True, properties=properties)
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
                raise _VersionRefused("it does not answer") from None
            raise TimeoutError("no CONNACK") from None
        if isinstance(answer, str) or answer == "Unsupported protocol version":
            # Brokers of 3.1.1 often just hang up on a version that they do not know.
            raise _VersionRefused(str(answer))
        if answer.is_failure:
            raise _ConnectRefused(str(answer))

    def publish(self, publication: Publication) -> int:
        """See `Link`."""
        info = self._client.publish(publication.topic, publication.payload, publication.qos, publication.retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise TryAgain(f"the connection broke while sending ({paho.error_string(info.rc)})")
        return info.mid

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
        self._put(Lost(f"the connection to the broker is lost{why}"))
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


class _ClosingSocket(ssl.SSLSocket):
    """paho leaves the socket of a failed handshake to the garbage collector; this one closes itself."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


class _VersionRefused(Exception):
    """The broker does not speak this version of MQTT, or hung up before it said anything."""


class _ConnectRefused(Exception):
    """The broker said no, and why."""


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


def _network_reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error}"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: no broker listens there"
    if isinstance(error, socket.gaierror):
        return "the host name is not known"
    return f"no connection: {error}"
