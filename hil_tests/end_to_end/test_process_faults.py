"""Faults of process and power: A1 to A8 of docs/faults.md, a few runs of each.

`gewu bench faults` runs as many as asked.
A5 is tested beside the outbox (`gateway/tests/test_outbox.py`), A6 in `gateway/tests/test_wholefile.py`.
"""

import signal
from pathlib import Path

import pytest

from hil_tests.bench.faults import killed
from hil_tests.brokers import Mosquitto
from hil_tests.faults import damage, power_cuts
from hil_tests.faults.kills import story
from hil_tests.faults.ledger import Ledger
from hil_tests.faults.nursery import Nursery
from hil_tests.faults.starts import configured, killed_starts
from hil_tests.faults.supervisor import Supervisor, gateway
from hil_tests.faults.witness import Witness

pytestmark = pytest.mark.integration


def test_kills_at_named_points_lose_nothing(tmp_path: Path) -> None:
    """A1: 24 lives of two gateways ended by SIGKILL, some of them offline; the witness misses nothing."""
    ledger = killed(tmp_path / "kills", 24, first=1)
    assert ledger.clean(), ledger
    assert ledger.runs == 24
    assert ledger.accepted > 300


def test_kills_in_a_full_store_lose_nothing_untold(tmp_path: Path) -> None:
    """A1 with B5: killed while it packs, thins and forgets; what came and what was announced are all there was."""
    with Mosquitto() as broker, Witness(broker.port) as witness, Nursery(tmp_path / "log") as nursery:
        ledger = story(nursery, witness, broker.url, tmp_path / "kills", seed=5, kills=4, squeezed=True)
    assert ledger.clean(), ledger


@pytest.mark.parametrize("seed", [1, 2])
def test_a_power_cut_at_any_write_or_sync(memory: Path, seed: int) -> None:
    """A2: opens unaided with everything that was promised, whatever part of the unsynced writes is gone or torn."""
    ledger = power_cuts.cut_everywhere(memory, seed, most=60)
    assert ledger.clean(), ledger.troubles[:5]
    assert ledger.runs == 180


def test_a_spoiled_journal(memory: Path) -> None:
    """A3: torn last frame, journal cut anywhere, -shm of rubbish: opens, every earlier commit is there."""
    ledger = Ledger()
    for seed in range(20):
        (memory / str(seed)).mkdir()
        ledger += power_cuts.spoiled_journal(memory / str(seed), seed)
    assert ledger.clean(), ledger.troubles
    assert len(ledger.kills) == 3


def test_random_bytes_in_the_database(memory: Path) -> None:
    """A4: 4 KiB of random bytes anywhere: it starts, the damaged file is kept, and readable rows are salvaged."""
    ledger = Ledger()
    for seed in (*range(20), 58, 81, 101):  # the last three once kept a gateway from starting
        ledger += damage.overwritten(memory / str(seed), seed)
    assert ledger.clean(), ledger.troubles
    assert ledger.kills["noticed"] > 0


def test_the_watchdog_restarts_a_gateway_that_stands_still(tmp_path: Path) -> None:
    """A7: SIGSTOP; whoever supervises it hears no more of it, starts it anew, and it is ready within 60 s."""
    with Supervisor(gateway(configured(tmp_path)), tmp_path, watchdog_s=4.0) as unit:
        unit.attend(60)
        assert unit.ready
        unit.process.send_signal(signal.SIGSTOP)
        unit.attend(60)
        assert (unit.ready, unit.starts) == (True, 2)


def test_starts_that_are_killed_cost_nothing(tmp_path: Path) -> None:
    """A8: killed again and again while starting; the next start is ready, with every record. How soon: the bench."""
    ledger, _ = killed_starts(tmp_path, starts=5, longest=1.5, seed=8)
    assert ledger.clean(), ledger
