"""The bytes that the outbox writes to a card are guarded, by the day at design load that `gewu bench store` lives."""

from pathlib import Path

from gateway.outbox import Outbox
from hil_tests.bench.store import MOST_WRITTEN_MB
from hil_tests.bench.store_load import WAY, Day
from hil_tests.faults.clock import FakeClock

_SECONDS = 120.0
_BLOCK = 4096  # of the file system: a commit fills the last one in part, and the next commit writes it again


def test_a_day_at_design_load_spares_the_card(tmp_path: Path) -> None:
    """Log and, once more for the checkpoint, what stays: below the limit; nothing is lost on the way."""
    clock = FakeClock()
    outbox = Outbox(tmp_path, clock, [WAY])
    day = Day(outbox, clock)
    day.live(10.0)
    log = tmp_path / "outbox.db-wal"
    begun, commits = log.stat().st_size, outbox.counts["commits"]
    put = day.live(_SECONDS)
    commits = outbox.counts["commits"] - commits
    logged = log.stat().st_size - begun
    a_day = 86400 / _SECONDS
    assert logged > 0
    assert (logged + commits * _BLOCK) * a_day / 1e6 < MOST_WRITTEN_MB
    assert commits * a_day < 100_000
    outbox.commit()
    assert outbox.stats().accepted >= put
    outbox.close()
