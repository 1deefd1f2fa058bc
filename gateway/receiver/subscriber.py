"""The receiver's own connection to the broker: MQTT 3.1.1, a persistent session, confirmed by hand.

It shares nothing with the uplink's connection: two programs that must agree should not lean on one another.
A message is confirmed to the broker (`confirm`) only when the receiver has it on disk.
"""

import logging
import queue
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from gateway.errors import ConfigurationError
from gateway.receiver.taken import NUMBERED

_log = logging.getLogger(__name__)
_PORTS = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
_KEEPALIVE_S = 20
_RETRY_S = (1, 15)
_TOPICS = [(f"gewu/+/+/{kind}", 1) for kind in (*NUMBERED, "status")]


class Access(msgspec.Struct, frozen=True):
    """Where the broker is and who we are. Files are PEM."""

    url: str
    client_id: str = "gewu-receive"
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    username: str | None = None
    password_file: Path | None = None


class Delivery(NamedTuple):
    """One message as it came; `connection` and `mid` say how to confirm it."""

    topic: str
    payload: bytes
    connection: int
    mid: int


class Subscriber:
    """Subscribes to every gateway of a broker. Raises ConfigurationError for a wrong URL or unreadable files."""

    def __init__(self, access: Access, say: Callable[[str], None]) -> None:
        self._access = access
        self._say = say
        self.arrived: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self.connections = 0
        self.connected = False
        parts = urlsplit(access.url)
        if parts.scheme not in _PORTS or not parts.hostname or parts.username or parts.password:
            raise ConfigurationError(
                f"--url {access.url!r} is no broker URL: write mqtt://HOST:PORT (or mqtts, ws, wss), no user in it."
            )
        try:
            self._port = parts.port or _PORTS[parts.scheme]
        except ValueError as error:
            raise ConfigurationError(f"--url {access.url!r} is no broker URL: {error}.") from error
        self._host = parts.hostname
        self._client = client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=access.client_id,
            clean_session=False,
            protocol=MQTTProtocolVersion.MQTTv311,
            transport="websockets" if parts.scheme in ("ws", "wss") else "tcp",
            manual_ack=True,
        )
        client.reconnect_delay_set(*_RETRY_S)
        if parts.scheme in ("ws", "wss"):
            client.ws_set_options(path=parts.path or "/mqtt")
        self._credentials(tls=parts.scheme in ("mqtts", "wss"))
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message

    def _credentials(self, tls: bool) -> None:
        access = self._access
        try:
            if access.username is not None:
                password = access.password_file.read_text("utf-8").strip() if access.password_file else None
                self._client.username_pw_set(access.username, password)
            if tls:
                context = ssl.create_default_context(cafile=str(access.ca) if access.ca else None)
                context.minimum_version = ssl.TLSVersion.TLSv1_2
                if access.cert:
                    context.load_cert_chain(access.cert, access.key)
                self._client.tls_set_context(context)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"The credentials for {access.url} cannot be used: {error}.") from error

    def start(self) -> None:
        """Connect, and reconnect for ever."""
        self._client.connect_async(self._host, self._port, _KEEPALIVE_S)
        self._client.loop_start()

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def confirm(self, delivery: Delivery) -> None:
        """Tell the broker that it may forget this message; one of an earlier connection comes again instead."""
        if delivery.connection == self.connections:
            self._client.ack(delivery.mid, 1)

    def publish(self, topic: str, payload: bytes) -> bool:
        """Send at QoS 1; False when there is no connection (the caller says it again later)."""
        if not self.connected:
            return False
        return self._client.publish(topic, payload, qos=1).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    # --- paho's thread --------------------------------------------------------------------------------

    def _on_connect(self, client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        if code.is_failure:
            self._say(f"The broker {self._access.url} refuses us ({code}): check --username and --password-file.")
            return
        client.subscribe(_TOPICS)
        self.connections += 1
        self.connected = True

    def _on_subscribe(self, _client: Any, _data: Any, _mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        if any(code.is_failure for code in codes):
            self._say(f"The broker {self._access.url} lets us read only a part of gewu/#: check its access rules.")
        else:
            self._say(f"Connected to {self._access.url}.")

    def _on_connect_fail(self, _client: Any, _data: Any) -> None:
        self._say(f"The broker {self._access.url} cannot be reached; trying again.")

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        self.connected = False
        if code.is_failure:
            self._say(f"The connection to {self._access.url} is lost ({code}); trying again.")

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.arrived.put(Delivery(message.topic, bytes(message.payload), self.connections, message.mid))
