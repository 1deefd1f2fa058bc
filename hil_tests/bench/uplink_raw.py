"""Raw ceilings beside the uplink: bare paho with the same window and size, and one JSON object a device and poll."""

import threading
import time
from collections.abc import Iterable, Sequence

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.errors import GewuError
from gateway.records import Reading

_PATIENCE_S = 60.0


class Bare:
    """`with Bare(port, window) as bare:` a paho client that publishes at QoS 1, `window` without a confirmation."""

    def __init__(self, port: int, window: int) -> None:
        self._room = threading.Semaphore(window)
        self._window = window
        self._connected = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.max_inflight_messages_set(0)
        self._client.on_publish = lambda *_: self._room.release()
        self._client.on_connect = lambda *_: self._connected.set()
        self._port = port

    def __enter__(self) -> "Bare":
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        if not self._connected.wait(_PATIENCE_S):
            raise GewuError("The broker does not answer bare paho: nothing can be compared.")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def rate(self, topic: str, payloads: Iterable[bytes]) -> float:
        """Messages a second, from the first publication to the last confirmation."""
        began, count = time.monotonic(), 0
        for payload in payloads:
            self._wait()
            self._client.publish(topic, payload, qos=1)
            count += 1
        for _ in range(self._window):
            self._wait()
        rate = count / (time.monotonic() - began)
        for _ in range(self._window):
            self._room.release()
        return rate

    def _wait(self) -> None:
        if not self._room.acquire(timeout=_PATIENCE_S):
            raise GewuError("The broker confirms nothing to bare paho: nothing can be compared.")


def one_object_each(readings: Sequence[Reading]) -> Iterable[bytes]:
    """ThingsBoard Gateway's style: for each device and poll an object of its own, made when it is sent."""
    encode = msgspec.json.Encoder().encode
    for reading in readings:
        yield encode({reading.device: [{"ts": reading.at, "values": reading.values}]})
