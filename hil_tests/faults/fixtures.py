"""One pytest fixture for each kind of fault beside the bus: network, storage, time.

`from hil_tests.faults.fixtures import sick_disk, sick_network, stepped_clock` in a conftest.py makes them known.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from hil_tests.faults.clock import SteppedClock
from hil_tests.faults.disk import Disk
from hil_tests.faults.link import SickLink, sick_link


@pytest.fixture
def sick_network() -> Iterator[Callable[[int], SickLink]]:
    """`sick_network(port)` is a link to that server that loses, delays and parts (`hil_tests.faults.link`)."""
    with ExitStack() as ending:
        yield lambda port: ending.enter_context(sick_link(port))


@pytest.fixture
def sick_disk() -> Iterator[Disk]:
    """A disk under SQLite that fails on demand: `Outbox(..., connect=connecting(disk))`, then set `disk.fail`."""
    disk = Disk()
    yield disk
    disk.close()


@pytest.fixture
def stepped_clock() -> SteppedClock:
    """The machine's clock until `offset_ms` or `believed` is set."""
    return SteppedClock()
