"""One sink of a running gateway: the thread that drives its delivery, and its orderly end."""

import random
import threading

from gateway import __version__
from gateway.clock import Clock
from gateway.config.model import Gateway
from gateway.config.sink_tables import Sink as Configured
from gateway.sinks.delivery import SinkDelivery, Store
from gateway.sinks.files import DayFiles
from gateway.sinks.status import SinkStatus
from gateway.sinks.target import Target
from gateway.sinks.webhook import Webhook, WebhookSettings


class Sink:
    """Delivers from `store` to `target` until it is asked to stop."""

    def __init__(self, name: str, kind: str, target: Target, store: Store, clock: Clock, tries: int = 5) -> None:
        self.name = name
        self._clock = clock
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._drain = 0.0
        self._delivery = SinkDelivery(name, kind, target, store, clock, random.random, tries)
        store.listen(self._wake.set)
        self._thread = threading.Thread(target=self._run, name=f"sink {name}", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def request_stop(self, drain: float = 0.0) -> None:
        """Ask for the end, after at most `drain` seconds while something is about to be written."""
        self._drain = drain
        self._stop.set()
        self._wake.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end that `request_stop` asked for."""
        if self._thread.is_alive():
            self._thread.join(timeout)

    def status(self) -> SinkStatus:
        return self._delivery.status()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            # A stop that came between the look above and the clear must not sleep through.
            wait = self._delivery.step() if not self._stop.is_set() else 0.0
            if not self._stop.is_set() and wait > 0:
                self._clock.wait(self._wake, wait)
        deadline = self._clock.monotonic() + self._drain
        while (left := deadline - self._clock.monotonic()) > 0 and not self._delivery.idle():
            self._wake.clear()
            self._clock.wait(self._wake, max(0.0, min(self._delivery.step(), left, 0.2)))
        self._delivery.close()


def sink_of(sink: Configured, gateway: Gateway, store: Store, clock: Clock) -> Sink:
    """The sink that a `[[sink]]` of gewu.toml describes."""
    return Sink(sink.name, sink.type, _target(sink, gateway, clock), store, clock, sink.tries)


def _target(sink: Configured, gateway: Gateway, clock: Clock) -> Target:
    if sink.type != "webhook":
        assert sink.folder is not None, "checked by gateway.config"
        return DayFiles(sink.name, sink.folder, sink.type, sink.keep_days, clock)
    assert sink.url is not None, "checked by gateway.config"
    settings = WebhookSettings(
        name=sink.name,
        site=gateway.site,
        gateway=gateway.id,
        url=sink.url,
        version=__version__,
        secret_file=sink.secret_file,
        ca=sink.ca,
        timeout=sink.timeout,
    )
    return Webhook(settings, clock)
