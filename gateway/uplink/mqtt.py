"""The broker through paho-mqtt: one new client a connection, MQTT 5 first and 3.1.1 where that is refused.

paho's memory is never a queue, and every failure becomes one sentence.
"""

import logging
import socket
import ssl
from collections.abc import Callable

from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.clock import Clock
from gateway.errors import TryAgain
from gateway.uplink import tls
from gateway.uplink.link import Broker, Publication
from gateway.uplink.mqtt_link import Client, ConnectRefused, PahoLink, VersionRefused, can_reach
from gateway.uplink.settings import UplinkSettings, Way, endpoint
from gateway.uplink.ways import OneWay, TwoWays

_log = logging.getLogger(__name__)
_VERSIONS = {
    "auto": [MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311],
    "5": [MQTTProtocolVersion.MQTTv5],
    "3.1.1": [MQTTProtocolVersion.MQTTv311],
}


def broker_of(settings: UplinkSettings, clock: Clock) -> Broker:
    """The broker of an uplink, over both its ways where it has two."""
    first = PahoBroker(settings, clock)
    if settings.fallback is None:
        return first
    at, source = endpoint(settings.url), settings.source
    return TwoWays(
        first,
        PahoBroker(settings, clock, settings.fallback),
        lambda: can_reach(at.host, at.port, source, settings.connect_timeout),
        clock.monotonic,
    )


class PahoBroker(OneWay):
    """Makes links to the broker of one uplink, over its first way or the one that is handed in."""

    def __init__(self, settings: UplinkSettings, clock: Clock, way: Way | None = None) -> None:
        way = way or Way(settings.url, settings.source)
        self._settings = settings
        self._clock = clock
        self._endpoint = endpoint(way.url)
        self._source = way.source
        # The version that worked last comes first, so that an old broker costs one refused attempt in all.
        self._versions = list(_VERSIONS[settings.mqtt])

    def connect(self, will: Publication | None, wake: Callable[[], None]) -> PahoLink:
        """See `Broker`. Raises TryAgain."""
        refused = None
        for version in list(self._versions):
            try:
                link = self._attempt(version, will, wake)
            except VersionRefused as error:
                refused = error
                _log.info("uplink %s: the broker does not take %s (%s)", self._settings.name, version.name, error)
            else:
                self._versions.sort(key=lambda one: one != version)
                return link
        raise TryAgain(self._sentence(f"the broker ends the connection at once ({refused})")) from refused

    def _attempt(self, version: MQTTProtocolVersion, will: Publication | None, wake: Callable[[], None]) -> PahoLink:
        settings = self._settings
        link = PahoLink(self._client(version, will), version, wake)
        at = self._endpoint
        try:
            link.open(at.host, at.port, settings.keepalive, settings.connect_timeout, settings.session)
        except VersionRefused:
            link.close()
            raise
        except ConnectRefused as error:
            link.close()
            raise TryAgain(self._sentence(self._refusal(str(error)))) from error
        except TimeoutError as error:
            link.close()
            raise TryAgain(self._sentence("no answer: check the address, the network and the firewall")) from error
        except ssl.SSLError as error:
            link.close()
            raise TryAgain(self._sentence(tls.reason(error, settings, self._clock.wall_ms()))) from error
        except (OSError, ValueError) as error:
            link.close()
            raise TryAgain(self._sentence(_network_reason(error))) from error
        return link

    def _client(self, version: MQTTProtocolVersion, will: Publication | None) -> Client:
        settings = self._settings
        clean = None if version == MQTTProtocolVersion.MQTTv5 else not settings.session
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            clean_session=clean,
            protocol=version,
            transport="websockets" if self._endpoint.websocket else "tcp",
            reconnect_on_failure=False,
            manual_ack=True,  # what comes down is confirmed when it is dealt with, not when it is here
        )
        client.source = self._source
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
        try:
            return tls.context(self._settings, self._clock.wall_ms())
        except TryAgain as error:
            raise TryAgain(self._sentence(str(error))) from error

    def _refusal(self, reason: str) -> str:
        who = f"user {self._settings.username!r}" if self._settings.username else "a client without a user name"
        return f"the broker refuses {who} ({reason}): check username, password_file and the broker's access rules"

    def _sentence(self, why: str) -> str:
        return f"Uplink {self._settings.name} to {self._endpoint}: {why}."


def _network_reason(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: no broker listens there"
    if isinstance(error, socket.gaierror):
        return "the host name is not known"
    return f"no connection: {error}"
