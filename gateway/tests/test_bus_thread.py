"""The thread of a bus: a heart that stops is noticed, one that only nobody watched is not taken for dead."""

import threading
from collections.abc import Iterator

import pytest

from gateway.bus.thread import STUCK_AFTER_S, BusThread
from gateway.clock import Clock
from gateway.tests.fake_clock import FakeClock
from gateway.tests.test_poller import Memory, bus


class Hanging(BusThread):
    """Its first step is an exchange that does not end before `release` is set."""

    def __init__(self, clock: Clock, *, beats: bool = False) -> None:
        super().__init__(bus("/dev/none"), clock, Memory(), [])
        self.hangs, self.release, self._beats = threading.Event(), threading.Event(), beats
        self.ended = False

    def _step(self) -> None:
        self.hangs.set()
        if self._beats:
            self._beat()
        self.release.wait(0.001 if self._beats else 20)

    def _end(self) -> None:
        self.ended = True


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def hanging(clock: FakeClock) -> Iterator[Hanging]:
    thread = Hanging(clock)
    thread.start()
    assert thread.hangs.wait(20)
    yield thread
    thread.release.set()
    thread.request_stop()
    thread.join(20)
    assert thread.ended
    assert not thread.alive()


def watch(thread: BusThread, clock: FakeClock, seconds: float) -> bool:
    """Whether it was alive throughout so long a watch, a look a second."""
    looks = []
    for _ in range(round(seconds)):
        clock.now += 1
        looks.append(thread.alive())
    return all(looks)


def test_a_thread_that_hangs_is_not_alive(hanging: Hanging, clock: FakeClock) -> None:
    """It runs, but its heart has not beaten for longer than the longest exchange takes."""
    assert watch(hanging, clock, STUCK_AFTER_S - 1)
    assert not watch(hanging, clock, 2)


def test_a_process_that_stood_still_is_given_its_time_again(hanging: Hanging, clock: FakeClock) -> None:
    """Stopped and continued: nobody watched and no heart could beat, and that is no fault of this thread."""
    clock.now += 10 * STUCK_AFTER_S
    assert hanging.alive()
    assert watch(hanging, clock, STUCK_AFTER_S - 1)
    assert not watch(hanging, clock, 2)


def test_a_heart_that_beats_is_alive_for_ever(clock: FakeClock) -> None:
    """However long it is watched."""
    thread = Hanging(clock, beats=True)
    thread.start()
    try:
        for _ in range(round(STUCK_AFTER_S * 1.5)):
            thread.hangs.clear()
            clock.now += 1
            assert thread.hangs.wait(20)
            assert thread.alive()
    finally:
        thread.request_stop()
        thread.join(20)
