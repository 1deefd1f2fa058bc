"""What others ask of a bus: pieces of work that its thread runs on the open line before any other traffic."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from gateway.bus.transport import Line
from gateway.errors import TryAgain

T = TypeVar("T")


class Questions:
    """A queue that any thread may fill and one thread answers. `wake` is set by every question."""

    def __init__(self, bus: str, wake: threading.Event) -> None:
        self._bus = bus
        self._wake = wake
        self._waiting: deque[tuple[Future[object], Callable[[Line], object]]] = deque()

    def ask(self, work: Callable[[Line], T]) -> Future[T]:
        """Queue `work`; the future gets its result or its error."""
        future: Future[T] = Future()
        self._waiting.append((future, work))  # type: ignore[arg-type]
        self._wake.set()
        return future

    def waiting(self) -> bool:
        return bool(self._waiting)

    def answer(self, line: Line) -> Exception | None:
        """Run the next piece of work on `line`; returns the error that it ended with, if any."""
        future, work = self._waiting.popleft()
        if not future.set_running_or_notify_cancel():
            return None
        try:
            future.set_result(work(line))
        except Exception as error:
            future.set_exception(error)
            return error
        return None

    def refuse(self, why: str) -> None:
        """End all that waits with TryAgain."""
        while self._waiting:
            future, _ = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                future.set_exception(TryAgain(f"Bus {self._bus} cannot be used now: {why}"))
