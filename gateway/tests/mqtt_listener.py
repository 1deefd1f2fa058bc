"""A plain MQTT client that keeps what it hears, for tests with a real broker."""

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

DEADLINE_S = 60.0


class Message(NamedTuple):
    topic: str
    payload: bytes
    retained: bool


class Listener:
    """Subscribed to `topics` when the constructor returns. `heard` is everything, in order."""

    def __init__(self, port: int, *topics: str, client_id: str = "") -> None:
        self.heard: list[Message] = []
        self._changed = threading.Condition()
        self._ready = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv311)
        self._client.on_message = self._on_message
        self._client.on_subscribe = lambda *_: self._ready.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe([(topic, 1) for topic in topics or ("#",)])
        assert self._ready.wait(DEADLINE_S)

    def publish(self, topic: str, payload: bytes | str, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(DEADLINE_S)

    def until(self, done: Callable[[], Any], what: str) -> None:
        """Wait until `done` is true of what was heard."""
        deadline = time.monotonic() + DEADLINE_S
        with self._changed:
            while not done():
                left = deadline - time.monotonic()
                assert left > 0, f"{what}; heard {[message.topic for message in self.heard]}"
                self._changed.wait(min(left, 0.5))

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_message = self._client.on_subscribe = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _on_message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        with self._changed:
            self.heard.append(Message(message.topic, bytes(message.payload), message.retain))
            self._changed.notify_all()
