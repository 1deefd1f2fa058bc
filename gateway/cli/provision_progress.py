"""How the work at several ports is shown on stderr: a bar each on a terminal, plain lines elsewhere."""

import threading
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

_EVERY_PERCENT = 25


class Ports:
    """`with Ports(ports) as ports: ports.said(port, step, percent)`; `said` may be called from any thread."""

    def __init__(self, ports: Sequence[str], bars: bool = True) -> None:
        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._lock = threading.Lock()
        self._shown: dict[str, tuple[str, int]] = {}
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        if bars and self._console.is_terminal and ports:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[step]}"))
            self._progress = Progress(*columns, console=self._console)
            self._tasks = {port: self._progress.add_task(port, total=100, step="waits") for port in ports}

    def __enter__(self) -> "Ports":
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def said(self, port: str, step: str, percent: int | None) -> None:
        """`port` is at `step`; `percent` of it where that is known."""
        with self._lock:
            if self._progress is not None:
                self._progress.update(self._tasks[port], step=step, completed=percent)
                return
            # One line a step, and one for each quarter of a long one.
            now = (step, (percent or 0) // _EVERY_PERCENT)
            if self._shown.get(port) != now:
                self._shown[port] = now
                self._console.print(f"{port}: {step}" + (f" {percent} %" if percent is not None else ""), markup=False)
