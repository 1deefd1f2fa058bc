"""The consumer at the far end, written apart from the project's own receiver: what came, and what is missing.

It takes every message of the native format, keeps the first of each `(gateway, epoch, seq)`, checks that
a repeated one says the same, and acknowledges when asked to. It trusts nothing that the gateway counts.
"""

import json
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

NUMBERED = ("readings", "events", "cases", "gaps")
_ROUND_S = 0.2


@dataclass
class Heard:
    """One epoch of one gateway."""

    messages: dict[int, dict[str, Any]] = field(default_factory=dict)
    duplicates: int = 0
    changed: list[int] = field(default_factory=list)
    records: dict[str, dict[int, Any]] = field(default_factory=lambda: defaultdict(dict))
    gaps: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def take(self, kind: str, message: dict[str, Any]) -> None:
        seq = message["seq"]
        if seq in self.messages:
            self.duplicates += 1
            if self.messages[seq] != message:
                self.changed.append(seq)
            return
        self.messages[seq] = message
        if kind == "readings":
            for n, reading in enumerate(message["readings"], message["first"]):
                self.records["readings"][n] = reading
        elif kind == "gaps":
            self.gaps[message["stream"]] |= set(range(message["first"], message["last"] + 1))
        else:
            self.records[kind][message["n"]] = message

    def solid(self) -> int:
        """Every message up to here has come or was given up."""
        seq = 0
        while seq + 1 in self.messages or seq + 1 in self.gaps["messages"]:
            seq += 1
        return seq

    def announced(self) -> int:
        """Records that are said not to come, and did not."""
        return sum(len(self.gaps[kind] - self.records[kind].keys()) for kind in ("readings", "events", "cases"))

    def missing(self) -> int:
        """Records and messages below the highest that neither came nor were announced."""
        holes = max(self.messages, default=0) - len(self.messages)
        for kind in ("readings", "events", "cases"):
            known = self.records[kind].keys() | self.gaps[kind]
            holes += max(known, default=0) - len(known)
        return holes


class Witness:
    """Subscribed with a session of its own to every gateway of `site`; `gateways` by name, then by epoch."""

    def __init__(
        self,
        port: int,
        site: str = "faults",
        acks: bool = True,
        client_id: str = "witness",
        host: str = "127.0.0.1",
    ) -> None:
        self.acks = acks
        self._site = site
        self.lock = threading.Lock()
        self.gateways: dict[str, dict[str, Heard]] = defaultdict(lambda: defaultdict(Heard))
        self.subscribed = threading.Event()
        self._owed: set[tuple[str, str]] = set()
        self._stop = threading.Event()
        self._client = client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id, clean_session=False, protocol=MQTTProtocolVersion.MQTTv311
        )
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._connected
        client.on_subscribe = lambda *_: self.subscribed.set()
        client.on_disconnect = lambda *_: self.subscribed.clear()
        client.on_message = self._take
        client.connect_async(host, port, 10)
        self._answers = threading.Thread(target=self._answer, name="witness", daemon=True)

    def __enter__(self) -> Self:
        self._client.loop_start()
        self._answers.start()
        if not self.subscribed.wait(60):
            raise TimeoutError("the witness could not subscribe")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._answers.join()
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = self._client.on_message = self._client.on_subscribe = None

    def heard(self, gateway: str) -> dict[str, Heard]:
        """What came from `gateway`, by epoch."""
        with self.lock:
            return dict(self.gateways[gateway])

    def numbers(self, gateway: str) -> tuple[set[int], set[str]]:
        """The `number` values of all readings and the ids of all events that came from `gateway`."""
        with self.lock:
            found = [heard.records for heard in self.gateways[gateway].values()]
            readings = {r["values"]["number"] for records in found for r in records["readings"].values()}
            return readings, {event["id"] for records in found for event in records["events"].values()}

    def _connected(self, *_: Any) -> None:
        self._client.subscribe([(f"gewu/{self._site}/+/{kind}", 1) for kind in NUMBERED])
        with self.lock:  # an acknowledgement of before may have been lost with the connection
            self._owed |= {(gateway, epoch) for gateway, epochs in self.gateways.items() for epoch in epochs}

    def _take(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        _, _, gateway, kind = message.topic.split("/")
        content = json.loads(message.payload)
        with self.lock:
            self.gateways[gateway][content["epoch"]].take(kind, content)
            self._owed.add((gateway, content["epoch"]))

    def _answer(self) -> None:
        while not self._stop.wait(_ROUND_S):
            if not self.acks or not self.subscribed.is_set():
                continue
            with self.lock:
                owed = [(g, e, self.gateways[g][e].solid()) for g, e in self._owed]
                self._owed.clear()
            for gateway, epoch, seq in owed:
                self._client.publish(f"gewu/{self._site}/{gateway}/acks", json.dumps({"epoch": epoch, "seq": seq}), 1)
