"""Kill the mortal gateway at seeded moments of its own making, then let it deliver the rest."""

import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from gateway.clock import SystemClock
from gateway.config.routes import Route
from gateway.outbox import Outbox
from gateway.tests.mortal_gateway import NAME

_KILLS = 8


def killed_and_drained(folder: Path, *url: str) -> int:
    """How many readings were accepted over eight lives and deaths; the last life ends when all are delivered."""
    chance = random.Random(20261122)
    command = [sys.executable, "-m", "gateway.tests.mortal_gateway", str(folder)]
    for _ in range(_KILLS):
        with subprocess.Popen([*command, "endless", *url], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 25)):  # no clock decides when
                assert process.stdout.readline() == b"accepted\n"
            process.kill()
    subprocess.run([*command, "drain", *url], check=True, timeout=60)
    with closing(Outbox(folder / "data", SystemClock(), [Route(name=NAME, acks=False, max_delay=0.0)])) as outbox:
        accepted = outbox.stats().accepted
    assert accepted >= 10 * _KILLS
    return accepted
