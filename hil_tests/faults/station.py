"""A gateway's end behind a sick network: real outbox and uplink, a proxy, a real broker, a witness at its far side."""

import os
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, Self

from gateway.clock import SystemClock
from gateway.errors import GewuError
from gateway.outbox import Outbox
from gateway.uplink import Uplink, UplinkSettings
from hil_tests.faults.driver import SITE
from hil_tests.faults.ledger import Ledger
from hil_tests.faults.network import Proxy
from hil_tests.faults.samples import Route, event, reading
from hil_tests.faults.witness import Witness

PATIENCE_S = 90.0
GATEWAY = "station"


class Broker(Protocol):
    """What a station asks of a broker; see `hil_tests.brokers.Broker`."""

    port: int


class Restartable(Broker, Protocol):
    """One that can be taken away and brought back."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...


class Station:
    """`with Station(folder, broker) as station:`. Whatever it accepts is counted, and must come out of `finish`."""

    def __init__(
        self,
        folder: Path,
        broker: Broker,
        *,
        acks: bool = False,
        keepalive: int = 2,
        tls: tuple[int, Path] | None = None,
    ) -> None:
        """`tls`: the port where the broker speaks TLS, and the CA that the gateway believes; None: plain."""
        self._folder = folder
        self._broker = broker
        self._acks = acks
        self._keepalive = keepalive
        self._tls = tls
        self._clock = SystemClock()
        self._ending = ExitStack()
        self.readings = 0
        self.events: list[str] = []

    def __enter__(self) -> Self:
        with ExitStack() as ending:
            port, ca = self._tls or (self._broker.port, None)
            self.proxy = ending.enter_context(Proxy("127.0.0.1", port))
            self.witness = ending.enter_context(Witness(self._broker.port, acks=self._acks))
            route = Route(acks=self._acks, max_delay=0.05)
            self.outbox = Outbox(self._folder / "data", self._clock, [route])
            ending.callback(self.outbox.close)
            self.outbox.start()
            self.settings = UplinkSettings(
                name=route.name, site=SITE, gateway=GATEWAY, ca=ca,
                url=f"{'mqtts' if ca else 'mqtt'}://127.0.0.1:{self.proxy.port}", acks=self._acks,
                ack_timeout=1.0, window=8, reserved=2, keepalive=self._keepalive, connect_timeout=5.0,
            )  # fmt: skip
            self.uplink = Uplink.of(self.settings, self.outbox, self._clock, dict)
            ending.callback(lambda: self.uplink.stop(5.0))
            self.uplink.start()
            self._ending = ending.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.proxy.heal()
        self._ending.close()

    def accept(self, readings: int, events: int = 1) -> None:
        """Take in readings and events, committed when this returns."""
        for _ in range(readings):
            self.outbox.put_reading(reading(self.readings))
            self.readings += 1
        for _ in range(events):
            name = f"event-{len(self.events)}"
            self.outbox.accept_event(event(name), name)
            self.events.append(name)
        self.outbox.flush()

    def until(self, what: str, done: Callable[[], bool]) -> float:
        """Seconds until `done`. Raises GewuError, naming `what` was awaited, when it does not come to that."""
        began = time.monotonic()
        while not done():
            if time.monotonic() - began > PATIENCE_S:
                raise GewuError(f"It did not come to this: {what}; {self.uplink.status()}, {self.outbox.stats()}")
            time.sleep(0.01)
        return time.monotonic() - began

    def connected(self) -> bool:
        return self.uplink.status().connected

    def finish(self) -> Ledger:
        """Wait until everything is delivered and seen, and count."""
        self.until("everything is delivered", lambda: self.outbox.stats().queued == 0)
        self.until("everything is seen", self.all_seen)
        readings, events = self.witness.numbers(GATEWAY)
        heard = self.witness.heard(GATEWAY).values()
        ledger = Ledger(runs=1, accepted=self.readings + len(self.events))
        ledger.lost = len(set(range(self.readings)) - readings) + len(set(self.events) - events)
        ledger.lost += sum(epoch.missing() for epoch in heard)
        ledger.duplicates = sum(epoch.duplicates for epoch in heard)
        ledger.troubles += [f"message {seq} has changed" for epoch in heard for seq in epoch.changed]
        return ledger

    def events_seen(self) -> bool:
        """Whether every accepted event has come out at the far end."""
        return len(self.witness.numbers(GATEWAY)[1]) >= len(self.events)

    def all_seen(self) -> bool:
        readings, events = self.witness.numbers(GATEWAY)
        return len(readings) >= self.readings and len(events) >= len(self.events)


def resources() -> tuple[int, int]:
    """Threads and open files of this process."""
    return threading.active_count(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208  its own folder counts as well
