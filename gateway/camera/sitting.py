"""One camera at work: looks, runs its eye over them, keeps the stills around an event, and says what happened.

A sitting owns one source and one thread. It never touches the bus, the outbox or another camera.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
from PIL import Image

from gateway import own_events
from gateway.camera.classifier import Verdict
from gateway.camera.evidence import EvidenceStore
from gateway.camera.eye import BLIND, Change, Eye, Open, Sight, masked
from gateway.camera.source import Source, SourceTrouble
from gateway.camera.still import encoded
from gateway.camera.turns import IN_TURN
from gateway.clock import Clock
from gateway.config import hours
from gateway.config.camera_tables import Camera
from gateway.errors import StoreError
from gateway.records import Event, Evidence, Value

_log = logging.getLogger(__name__)

Blur = Callable[[Image.Image | bytes], Image.Image]
FIRST_RETRY_S = 1.0
_LAST_RETRY_S = 30.0
_STEP_S = 0.2


class Report(Protocol):
    """Where events go; returns at once."""

    def __call__(self, event: Event, key: str) -> None: ...


@dataclass
class Standing:
    """An event that is open: its stills, and how many looks until the one afterwards (None: it is there)."""

    event: Event
    after: int | None


@dataclass
class Tools:
    """What a sitting needs from outside. `blur` is None where stills may not be kept."""

    open_source: Callable[[Camera], Source]
    report: Report
    clock: Clock
    store: EvidenceStore
    blur: Blur | None
    stopped: Callable[[], bool]


@dataclass
class Sitting:
    """`eye` is made anew for each source, because what is live differs; `open_` are events from before a restart."""

    camera: Camera
    make_eye: Callable[[bool, list[Open]], Eye]
    tools: Tools
    open_: dict[Open, Standing] = field(default_factory=dict)
    latest: bytes | None = None  # the still of the last look, not blurred
    size: tuple[int, int] = (0, 0)  # in pixels, of the last look
    sight: Sight | None = None
    verdict: Verdict | None = None
    trouble: str | None = None
    looks: int = 0
    moved: float = field(default_factory=time.monotonic)
    counts: dict[str, int] = field(default_factory=dict)
    _eye: Eye | None = None
    _before: deque[bytes] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self._before = deque(maxlen=self.camera.agree + 1)

    def run(self) -> None:
        """Look until stopped; whatever goes wrong with the source, try again with growing pauses."""
        pause = FIRST_RETRY_S
        while not self.tools.stopped():
            if not self._on_duty():
                self._wait(1.0)
                continue
            try:
                source = self.tools.open_source(self.camera)
            except SourceTrouble as error:
                self._troubled(error)
                self._wait(pause)
                pause = min(2 * pause, _LAST_RETRY_S)
                continue
            try:
                looks = self.looks
                self._sit(source)
                pause = FIRST_RETRY_S if self.looks > looks else pause
            except SourceTrouble as error:
                self._troubled(error)
                pause = FIRST_RETRY_S if self.looks > looks else min(2 * pause, _LAST_RETRY_S)
                self._wait(pause)
            finally:
                source.close()
                for name, count in source.counts.items():
                    self.counts[name] = self.counts.get(name, 0) + count

    def _sit(self, source: Source) -> None:
        if self._eye is None:
            self._eye = self.make_eye(source.live, list(self.open_))
        while not self.tools.stopped() and self._on_duty():
            taken = source.look(self.tools.stopped)
            if taken is None:
                return
            with IN_TURN:
                self._look(self._eye, taken())

    def _look(self, eye: Eye, image: Image.Image) -> None:
        image = masked(self.camera, image)
        self.moved = time.monotonic()
        if self.trouble is not None:
            _log.info("camera %s is back", self.camera.id)
        self.trouble, self.size = None, image.size
        self.sight = eye.see(image, self.moved)
        self.verdict = self.sight.verdict or self.verdict
        self.looks += 1
        self._settle(self.sight.changes, image)
        self._afterwards(image)
        self.latest = encoded(image)
        if self.camera.evidence:
            self._before.append(self.latest)

    def _troubled(self, error: SourceTrouble) -> None:
        self.moved = time.monotonic()
        if self.trouble is None:
            _log.warning("camera %s: %s", self.camera.id, error)
        self.trouble = str(error)
        if self._eye is None:
            self._eye = self.make_eye(not self.camera.source.startswith("dir:"), list(self.open_))
        self.sight = self._eye.cannot_see(error.reason, self.moved)
        self._settle(self.sight.changes, None)

    def _settle(self, changes: list[Change], image: Image.Image | None) -> None:
        for change in changes:
            known = self.open_.get((change.kind, change.key))
            if change.do == "raise" and known is None:
                self._raise(change, image)
            elif change.do == "clear" and known is not None:
                self._clear(change, known, image)

    def _raise(self, change: Change, image: Image.Image | None) -> None:
        camera = self.camera
        event = own_events.begun(self.tools.clock, change.kind, change.grade, change.values, camera.id, camera.place)
        after = None
        if image is not None and change.kind != BLIND and self.camera.evidence:
            before: list[tuple[str, Image.Image | bytes]] = [("before", self._before[0])] if self._before else []
            event = self._with_stills(event, [*before, ("at", image)])
            after = self.camera.agree
        self.open_[(change.kind, change.key)] = Standing(event, after)
        self.tools.report(event, change.key)

    def _clear(self, change: Change, known: Standing, image: Image.Image | None) -> None:
        if known.after is not None and image is not None:
            known.event = self._with_stills(known.event, [("after", image)])
        known.event = msgspec.structs.replace(known.event, evidence=self.tools.store.dated(known.event.evidence))
        del self.open_[(change.kind, change.key)]
        self.tools.report(own_events.ended(known.event, self.tools.clock), change.key)

    def _afterwards(self, image: Image.Image) -> None:
        """The still after an event, some looks later; the record that clears it names it."""
        for standing in self.open_.values():
            if standing.after is None:
                continue
            standing.after -= 1
            if standing.after <= 0:
                standing.event = self._with_stills(standing.event, [("after", image)])
                standing.after = None

    def _with_stills(self, event: Event, stills: Sequence[tuple[str, Image.Image | bytes]]) -> Event:
        """The event with its stills; where they cannot be kept, the event says so and goes all the same."""
        kept: list[Evidence] = []
        trouble: dict[str, Value] = {}
        for moment, image in stills:
            if self.tools.blur is None:
                trouble = {"evidence": "none: what blurs faces could not be loaded"}
                break
            try:
                name = f"{self.camera.id}-{event.id[:8]}-{moment}.jpg"
                kept.append(self.tools.store.save(name, encoded(self.tools.blur(image))))
            except StoreError as error:
                _log.error("%s", error)
                trouble = {"evidence": f"none: {error}"}
                break
        return msgspec.structs.replace(event, evidence=(*event.evidence, *kept), values={**event.values, **trouble})

    def _on_duty(self) -> bool:
        self.moved = time.monotonic()
        if not self.camera.hours:
            return True
        local = time.localtime(self.tools.clock.wall_ms() / 1000)
        return hours.on(self.camera.hours, local.tm_hour * 60 + local.tm_min)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.tools.stopped() and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _STEP_S))
