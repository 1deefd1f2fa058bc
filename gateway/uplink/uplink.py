"""One uplink of a running gateway: the thread that drives its delivery, and its orderly end."""

import logging
import random
import threading
from collections.abc import Callable
from typing import Any

from gateway import __version__
from gateway.clock import Clock
from gateway.config.model import Gateway
from gateway.config.model import Uplink as Configured
from gateway.learned_clock import of_machine
from gateway.uplink import native
from gateway.uplink.configured import settings_of
from gateway.uplink.delivery import Delivery
from gateway.uplink.formats import format_of
from gateway.uplink.hearing import Hand, HearTime
from gateway.uplink.link import Broker, Publication
from gateway.uplink.mqtt import broker_of
from gateway.uplink.present import NoDevices, Present
from gateway.uplink.settings import UplinkSettings
from gateway.uplink.status import UplinkStatus
from gateway.uplink.store import Store

_log = logging.getLogger(__name__)
_GOODBYE_S = 1.0


class Uplink:
    """Delivers from `store` to the broker of `uplink` until it is asked to stop.

    `health` returns the content of the health message, once a minute, and is called in this thread.
    """

    def __init__(
        self,
        uplink: Configured,
        gateway: Gateway,
        store: Store,
        clock: Clock,
        health: Callable[[], dict[str, Any]],
        present: Present,
    ) -> None:
        self._set_up(settings_of(uplink, gateway), store, clock, health, present=present)

    @classmethod
    def of(
        cls,
        settings: UplinkSettings,
        store: Store,
        clock: Clock,
        health: Callable[[], dict[str, Any]],
        broker: Broker | None = None,
        present: Present | None = None,
    ) -> "Uplink":
        """An uplink from its complete settings, and over another broker than paho's where one is handed in."""
        uplink = cls.__new__(cls)
        uplink._set_up(settings, store, clock, health, broker, present)
        return uplink

    def _set_up(
        self,
        settings: UplinkSettings,
        store: Store,
        clock: Clock,
        health: Callable[[], dict[str, Any]],
        broker: Broker | None = None,
        present: Present | None = None,
    ) -> None:
        self.name = settings.name
        self._site, self._gateway = settings.site, settings.gateway
        self._clock = clock
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._drain = 0.0
        self._delivery = Delivery(
            settings,
            store,
            broker or broker_of(settings, of_machine(clock)),
            clock,
            format_of(settings, clock, __version__, present or NoDevices(store)),
            health=health,
            chance=random.random,
            wake=self._wake.set,
        )
        store.listen(self._wake.set)
        self._thread = threading.Thread(target=self._run, name=f"uplink {self.name}", daemon=True)

    def start(self) -> None:
        """Connect, and reconnect for ever."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def request_stop(self, drain: float = 0.0) -> None:
        """Ask for the end: go on for at most `drain` seconds while something is on its way, then say offline."""
        self._drain = drain
        self._stop.set()
        self._wake.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end that `request_stop` asked for."""
        if self._thread.is_alive():
            self._thread.join(timeout)

    def stop(self, timeout: float = 2.0) -> None:
        """Publish the status offline, disconnect and end within `timeout` seconds."""
        self.request_stop()
        self.join(timeout)

    def status(self) -> UplinkStatus:
        return self._delivery.status()

    def certificate_days(self) -> dict[str, float]:
        """Days left of the certificates `ca`, `cert` and `broker`, as far as this uplink has them."""
        return self._delivery.certificate_days()

    def hand(self, kind: str, to: Hand) -> None:
        """Hand what comes down as `kind` to `to`, in this uplink's thread; wire it before `start`.

        `to` gets the rest of the topic and the payload: for `commands` the id, for `inbox` nothing. The broker
        gets its PUBACK when `to` returns. ValueError refuses the message; after a StoreError it comes again.
        """
        self._delivery.hand(kind, to)

    def hear_time(self, tell: HearTime) -> None:
        """Tell what the clock of the level above shows, in this uplink's thread; wire it before `start`."""
        self._delivery.hear_time(tell)

    def say(self, kind: str, payload: bytes) -> None:
        """Publish on this gateway's topic `kind` (such as replies/ID), outside the numbering. From any thread."""
        self._delivery.say(Publication(native.topic(self._site, self._gateway, kind), payload))

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            # A stop that came between the look above and the clear must not sleep through.
            wait = self._delivery.step() if not self._stop.is_set() else 0.0
            if not self._stop.is_set():
                self._clock.wait(self._wake, wait)
        self._end()

    def _end(self) -> None:
        deadline = self._clock.monotonic() + self._drain
        while self._clock.monotonic() < deadline and not self._delivery.idle():
            self._wake.clear()
            left = deadline - self._clock.monotonic()
            self._clock.wait(self._wake, max(0.0, min(self._delivery.step(), left, 0.2)))
        token = self._delivery.goodbye()
        deadline = self._clock.monotonic() + _GOODBYE_S
        while token is not None and not self._delivery.confirmed(token) and self._clock.monotonic() < deadline:
            self._clock.wait(self._wake, 0.05)
            self._wake.clear()
        self._delivery.close()
