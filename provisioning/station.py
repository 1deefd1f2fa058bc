"""The installer's station: plug in, wait for the green line, pull out, next. Several boards at once, in any order.

It watches ports appear and go, and gives each that appears to `work` in a thread of its own. It knows neither plans nor
boards; how ports are seen, time, and the work itself are handed in. A board that is pulled out costs its own line only.
"""

import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from gateway.clock import Clock

_LOOK_S = 0.2
# A port is there before its rights are (udev), and a modem manager may try it first.
_SETTLE_S = 8.0
_SETTLE_STEP_S = 0.5
SETTLING = ("no-port", "no-permission", "port-busy")


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a board at `port`; `line` is for the person, `row` for scripts, `code` of a trouble or nothing."""

    port: str
    well: bool
    line: str
    row: dict[str, Any]
    code: str = ""


class Station:
    """`run` until `stop` is set. `ports()` are those that exist now, `work(port)` raises nothing but what ends all."""

    def __init__(
        self,
        ports: Callable[[], Collection[str]],
        work: Callable[[str], Done],
        tell: Callable[[Done], None],
        clock: Clock,
        at_once: int = 8,
    ) -> None:
        self._ports, self._work, self._tell, self._clock = ports, work, tell, clock
        self._pool = ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="station")
        self._served: set[str] = set()  # since they appeared
        self._running: dict[str, Future[Done]] = {}
        self.done: list[Done] = []

    def run(self, stop: threading.Event) -> list[Done]:
        """Every board that was served, in the order in which they were finished; those under way are waited for."""
        try:
            while not stop.is_set():
                self.step()
                self._clock.wait(stop, _LOOK_S)
            for future in list(self._running.values()):
                future.result()
            self._gather()
            return self.done
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def step(self) -> None:
        """Once around: what is finished is told, what went may come again, what is new is begun."""
        self._gather()
        there = set(self._ports())
        self._served &= there
        for port in sorted(there - self._served - self._running.keys()):
            self._served.add(port)
            self._running[port] = self._pool.submit(self._settled, port)

    def _gather(self) -> None:
        for port, future in list(self._running.items()):
            if future.done():
                del self._running[port]
                self.done.append(future.result())
                self._tell(self.done[-1])

    def _settled(self, port: str) -> Done:
        """The work, once more while the port is only settling."""
        until = self._clock.monotonic() + _SETTLE_S
        while True:
            done = self._work(port)
            if done.code not in SETTLING or self._clock.monotonic() >= until or port not in self._ports():
                return done
            self._clock.sleep(_SETTLE_STEP_S)
