"""How far a run is, on stderr: a bar on a terminal, a line for each verdict elsewhere. It decides nothing."""

import threading
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from hil_tests.hil.plugin import Line


class Progress:
    """`with Progress() as progress: run(..., progress.told)`. Told by several threads."""

    def __init__(self, asks: bool = False) -> None:
        """`asks`: somebody is asked things at this terminal meanwhile, so there is no bar to write over them."""
        self._console = Console(stderr=True, soft_wrap=True, highlight=False)
        self._lock = threading.Lock()
        self._done = self._expected = 0
        self._bar: Bar | None = None
        if self._console.is_terminal and not asks:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bar = Bar(*columns, console=self._console)
            self._task = self._bar.add_task("begins", total=None)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def told(self, line: Line) -> None:
        """A line of a child."""
        with self._lock:
            self._expected += len(line.collected or ())
            self._done += line.result is not None
            bad = line.result is not None and line.result.verdict in ("FAIL", "SETUP-ERROR")
            if self._bar is not None:
                self._bar.update(self._task, total=self._expected, completed=self._done, description=line.began or "")
            if line.result is not None and (bad or self._bar is None):
                one = line.result
                self._console.print(
                    f"{self._done}/{self._expected} {one.verdict:<11} {one.id} ({one.seconds:.1f} s)"
                    + (f": {one.reason}" if one.reason else ""),
                    markup=False,
                )
