"""`gewu demo`: plays the story with its cast, keeps the books, and judges by what the receiver has."""

import os
import time
from collections.abc import Callable
from typing import Any

from gateway.errors import GewuError
from hil_tests.demo import lens, report, stage, story
from hil_tests.demo.cast import Cast
from hil_tests.demo.view import View

Stopped = Callable[[], bool]

_LOOK_S = 0.25
_RESTART_S = 1.0  # what systemd's RestartSec would wait
_DRAIN_S = 20.0
_FRESH_MS = 2500  # records this young are always on their way while the gateway runs
_ENDLESS_S = 60.0  # Ctrl-C ends the demo; until then the story is the default one, and then the village lives on


class Play:
    """One performance. `stop` says whether the audience has left; `began` is when the command started (monotonic)."""

    def __init__(self, cast: Cast, view: View, began: float) -> None:
        self._cast = cast
        self._view = view
        self._began = began
        self._story_began = began
        self._lives: dict[int, list[report.BusLife]] = {}
        self._kills = 0
        self._gone: float | None = None
        self._outage_s = 0.0
        self._queued_peak = 0
        self._rss_mb = 0.0

    def perform(self, seconds: float | None, stopped: Stopped) -> dict[str, Any]:
        """Play for `seconds` (None: until stopped) from the first reading; the report."""
        self._view.caption(0.0, "the village wakes up")
        self._cast.start()
        self._cast.wait_for("The first reading", self._has_read)
        self._story_began = time.monotonic()
        self._cast.lens.start()
        if self._cast.lens.missing:
            self._view.caption(0.0, f"no camera in this demo: {self._cast.lens.missing}")
        first_reading_s = self._story_began - self._began
        steps = story.timeline(seconds if seconds is not None else _ENDLESS_S)
        for step in steps:
            self._watch_until(self._story_began + step.at, stopped)
            if stopped():
                break
            self._view.caption(step.at, story.caption(step.scene))
            self._act(step.scene, seconds if seconds is not None else _ENDLESS_S)
        if seconds is None:
            self._watch_until(float("inf"), stopped)
        return self._settle(first_reading_s)

    def _has_read(self) -> bool:
        status = self._cast.status()
        return status is not None and any(device["values"] for bus in status["buses"] for device in bus["devices"])

    def _watch_until(self, moment: float, stopped: Stopped) -> None:
        while time.monotonic() < moment and not stopped():
            self._look()
            time.sleep(max(0.0, min(_LOOK_S, moment - time.monotonic())))

    def _look(self) -> None:
        """Note what must be known when the gateway is dead, and show the rest."""
        self._cast.check()
        status = self._cast.status()
        self._view.show(time.monotonic() - self._story_began, status, self._cast.arrived())
        if status is None:
            return
        gateway = status["gateway"]
        self._rss_mb = max(self._rss_mb, gateway["rss_mb"])
        self._lives[gateway["pid"]] = [
            report.BusLife(
                name=bus["name"],
                baud=bus["baud"],
                polls=bus["polls"],
                errors=sum(bus["errors"].values()),
                busy_s=bus["utilisation"] * gateway["uptime_s"],
                elapsed_s=gateway["uptime_s"],
            )
            for bus in status["buses"]
        ]
        if self._gone is not None:
            self._queued_peak = max(self._queued_peak, status["store"]["queued"])

    def _act(self, scene: story.Scene, seconds: float) -> None:
        match scene:
            case "busy evening":
                for board, load in story.BUSY.items():
                    self._cast.inject(board, load=load)
            case "overload":
                rating = next(board.rating for board in stage.BOARDS if board.id == story.VICTIM)
                self._cast.inject(story.VICTIM, current=rating * story.overload_multiple(seconds))
            case "street floods":
                self._cast.lens.broken.set()
            case "broker gone":
                self._cast.broker.kill()
                self._gone = time.monotonic()
            case "broker back":
                self._broker_back()
            case "gateway killed":
                self._look()
                self._cast.kill_gateway()
                self._kills += 1
                time.sleep(_RESTART_S)
                self._cast.start_gateway()
            case "repaired":
                self._cast.lens.broken.clear()
                self._cast.inject(story.VICTIM, load=2.0, handle=1)
            case "end":
                pass

    def _broker_back(self) -> None:
        self._look()
        self._cast.broker.start()
        assert self._gone is not None
        self._outage_s = time.monotonic() - self._gone
        self._gone = None

    def _settle(self, first_reading_s: float) -> dict[str, Any]:
        """Let what waits arrive, stop the gateway, and reckon."""
        played_s = time.monotonic() - self._story_began
        if self._gone is not None:
            self._broker_back()
        boards = self._living_boards()
        trips = self._cast.village_now()["trips"]
        self._cast.wait_for("The gateway's return", self._cast.status)
        self._drain()
        self._look()
        self._cast.stop_gateway()
        stats = self._cast.stats_at_rest()
        received = self._cast.stop_receiver()
        ledger = report.balance(
            stats,
            report.Received(delivered=received["delivered"], duplicates=received["duplicates"], lost=received["lost"]),
        )
        events = self._cast.received_events()
        return {
            "boards": boards,
            "seconds": round(played_s, 1),
            **ledger,
            "events": report.event_rows(events, trips),
            "camera": lens.outcome(self._cast.lens.missing, events, self._cast.data_dir / "evidence"),
            "outage": {"seconds": round(self._outage_s, 1), "queued_peak": self._queued_peak},
            "kills": self._kills,
            "bus": report.buses(life for lives in self._lives.values() for life in lives),
            "first_reading_s": round(first_reading_s, 1),
            "rss_mb": self._rss_mb,
        }

    def _living_boards(self) -> int:
        """How many boards are live processes at this moment."""
        alive = 0
        for board in self._cast.village_now()["boards"]:
            try:
                os.kill(board["pid"], 0)
            except ProcessLookupError:
                continue
            alive += 1
        return alive

    def _drain(self) -> None:
        """Wait for the backlog; the last second's records are the stopping gateway's own matter."""
        try:
            self._cast.wait_for("The delivery of the backlog", self._nearly_delivered, _DRAIN_S)
        except GewuError as error:
            self._view.caption(time.monotonic() - self._story_began, str(error))

    def _nearly_delivered(self) -> bool:
        status = self._cast.status()
        if status is None:
            return False
        oldest = status["store"]["oldest"]
        return oldest is None or time.time() * 1000 - oldest < _FRESH_MS
