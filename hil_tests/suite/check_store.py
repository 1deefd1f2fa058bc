"""The gateway's store: what was accepted is on the disk, whatever then becomes of the process."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.clock import SystemClock
from gateway.outbox import Outbox
from hil_tests.faults.samples import Route
from hil_tests.hil.verdict import expect

pytestmark = [
    pytest.mark.needs("workshop"),
    pytest.mark.step(
        "do not put this gateway into service: look at its disk or card (gewu doctor), then tell the maker",
        "不得投入使用：检查磁盘或存储卡 (gewu doctor)，并联系厂家",
    ),
]
_EVENTS = 40


@pytest.mark.smoke
@pytest.mark.check("what was accepted survives the death of the gateway", "已接收的数据在进程被杀后仍在")
def test_accepted_is_committed(tmp_path: Path) -> None:
    """every event that a gateway took before it was killed, in the store that the next one opens"""
    command = [sys.executable, "-P", "-m", "hil_tests.faults.accepting", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as gateway:
        assert gateway.stdout is not None
        promised = [gateway.stdout.readline().strip() for _ in range(_EVENTS)]
        gateway.kill()
    expect(all(promised), "a gateway that accepts events", "it ended by itself")
    outbox = Outbox(tmp_path, SystemClock(), [Route()])
    try:
        kept = {record.event.id for record in outbox.open_events()}
    finally:
        outbox.close()
    lost = [name for name in promised if name not in kept]
    expect(not lost, f"{_EVENTS} events", f"{len(lost)} of them are gone: {', '.join(lost[:3])}")
