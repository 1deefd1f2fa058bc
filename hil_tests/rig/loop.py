"""The one thread of a rig: files that became readable and moments that came, in one loop.

epoll alone counts in milliseconds; select on the epoll descriptor counts in microseconds, which the wire
time of a character needs, and has no limit on how many files hang on the epoll.
"""

import ctypes
import heapq
import itertools
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_TIMER_SLACK = 29
_LATE_S = 0.0005  # what is kept as lateness
Result = TypeVar("Result")


class Timer:
    """A call that is to come; `cancel` forgets it."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        self.action = None


class Loop:
    """Runs in the thread that calls `run`; only `call` and `stop` may come from others."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._calls: list[Callable[[], None]] = []
        self._lock = threading.Lock()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._running = True
        self._late: deque[tuple[float, float]] = deque(maxlen=4096)
        self.watch(self._wake_read, self._answer_calls)

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def watch(self, file: int, action: Callable[[], None]) -> None:
        """Call `action` whenever `file` is readable."""
        self._readers[file] = action
        self._epoll.register(file, select.EPOLLIN)

    def unwatch(self, file: int) -> None:
        """No more calls for `file`; call before it is closed."""
        if self._readers.pop(file, None) is not None:
            self._epoll.unregister(file)

    def at(self, moment: float, action: Callable[[], None]) -> Timer:
        """Call `action` at `moment` (as `now` counts)."""
        timer = Timer(action)
        heapq.heappush(self._timers, (moment, next(self._order), timer))
        return timer

    def after(self, seconds: float, action: Callable[[], None]) -> Timer:
        """Call `action` in `seconds`."""
        return self.at(self.now() + seconds, action)

    def latest(self, since: float) -> float:
        """Seconds by which the latest of the calls since then came after its moment: what the machine cost."""
        return max((late for moment, late in self._late if moment >= since), default=0.0)

    def call(self, action: Callable[[], Result]) -> Future[Result]:
        """Run `action` in the loop's thread, from another; the Future has its result or its error."""
        future: Future[Result] = Future()

        def run() -> None:
            try:
                future.set_result(action())
            except Exception as error:
                future.set_exception(error)

        with self._lock:
            self._calls.append(run)
        os.write(self._wake_write, b"x")
        return future

    def stop(self) -> None:
        """End `run`."""
        self._running = False
        os.write(self._wake_write, b"x")

    def run(self) -> None:
        """Until `stop`."""
        ctypes.CDLL(None).prctl(_TIMER_SLACK, 1)  # of this thread: waits end on the microsecond
        epoll = self._epoll.fileno()
        while self._running:
            wait = max(0.0, self._timers[0][0] - self.now()) if self._timers else None
            if wait is None or wait > 0:
                select.select([epoll], [], [], wait)
            self._fire()
            for file, _event in self._epoll.poll(0):
                action = self._readers.get(file)
                if action is not None:  # an earlier action of this round may have closed it
                    action()

    def close(self) -> None:
        """After `run` has ended."""
        self._epoll.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _fire(self) -> None:
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            moment, _order, timer = heapq.heappop(self._timers)
            if timer.action is not None:
                if (late := self.now() - moment) > _LATE_S:
                    self._late.append((moment, late))
                timer.action()

    def _answer_calls(self) -> None:
        os.read(self._wake_read, 4096)
        with self._lock:
            calls, self._calls = self._calls, []
        for call in calls:
            call()
