"""A process with a backlog of days in its outbox: how much memory it takes to send some of it.

`python -m hil_tests.bench.store_child FOLDER MESSAGES` prints three numbers: MB resident before the outbox is opened,
the most while its messages were composed and marked, and how many those were.
"""

import sys
from pathlib import Path

from gateway.health import rss_mb
from gateway.outbox import Outbox
from gateway.outbox.route import Keeping
from hil_tests.bench.store_load import WAY
from hil_tests.faults.clock import FakeClock

_WINDOW = 20


def main(folder: Path, most: int) -> int:
    """Compose, read again and mark up to `most` messages."""
    begun = folder.parent / "empty"
    with_none = Outbox(begun, FakeClock(), [WAY])
    with_none.close()
    before = peak = rss_mb()
    outbox = Outbox(folder, FakeClock(), [WAY], Keeping(replay_window=0.0))
    count = 0
    while count < most and (messages := outbox.next_messages(WAY.name, _WINDOW, _WINDOW)):
        count += len(messages)
        outbox.message(WAY.name, messages[0].seq)
        outbox.mark_delivered(WAY.name, [message.seq for message in messages])
        outbox.stats()
        peak = max(peak, rss_mb())
    outbox.close()
    print(before, peak, count)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
