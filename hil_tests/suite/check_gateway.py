"""Gateway faults on this machine: kills, power cuts, sick disks, sick networks. What was accepted is never lost.

In folders and with brokers of its own; a gateway that is installed here is not touched. `gewu bench faults` runs as
many of each as asked.
"""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil_tests.bench.faults import SICK, killed
from hil_tests.brokers import Mosquitto
from hil_tests.faults import damage, links, power_cuts, sick_disks
from hil_tests.faults.disk import memory_folder
from hil_tests.faults.ledger import Ledger
from hil_tests.faults.supervisor import Supervisor, gateway
from hil_tests.hil.verdict import Measures, expect

pytestmark = [
    pytest.mark.needs("workshop"),
    pytest.mark.step(
        "do not install this gateway: its disk, its system or this version loses data; `gewu bench faults` says more",
        "不得安装此网关：磁盘、系统或版本会丢数据；运行 gewu bench faults 查看详情",
    ),
]


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A simulated disk need not wait for a real one's syncs."""
    with tempfile.TemporaryDirectory(prefix="gewu-hil-", dir=memory_folder() or tmp_path) as folder:
        yield Path(folder)


def clean(ledger: Ledger, measures: Measures, about: str) -> None:
    """Expect that nothing is lost and no promise broken."""
    measures.notes.append(f"{about}: {ledger.runs} runs, {ledger.accepted} records accepted, {ledger.lost} lost.")
    expect(ledger.clean(), "nothing lost, no promise broken", "; ".join(ledger.troubles[:3]) or f"{ledger.lost} lost")


@pytest.mark.smoke
@pytest.mark.check("kills at named points lose nothing", "在指定点被杀不丢数据")
def test_kills(tmp_path: Path, measures: Measures) -> None:
    """gateways ended by SIGKILL: a witness beside the receiver misses no record (A1)"""
    clean(killed(tmp_path / "kills", 6, first=11), measures, "A1 killed at a named point")


@pytest.mark.check("a power cut at any write or sync loses nothing that was promised", "任意写入时断电不丢已承诺数据")
def test_power_cuts(memory: Path, measures: Measures) -> None:
    """opens unaided, with all that was promised (A2)"""
    clean(power_cuts.cut_everywhere(memory, 7, most=25), measures, "A2 power cut")


@pytest.mark.check("a spoiled journal and a damaged file do not stop it", "日志损坏或文件受损仍可启动")
def test_damage(memory: Path, measures: Measures) -> None:
    """earlier commits are there, the damaged file is kept (A3, A4)"""
    ledger = Ledger()
    for seed in range(4):
        (memory / f"journal-{seed}").mkdir()
        ledger += power_cuts.spoiled_journal(memory / f"journal-{seed}", seed)
        ledger += damage.overwritten(memory / f"file-{seed}", seed)
    clean(ledger, measures, "A3, A4 journal spoiled, 4 KiB of random bytes")


@pytest.mark.smoke
@pytest.mark.check("a disk that is full, broken or read-only for a while loses nothing", "磁盘满或故障期间不丢数据")
@pytest.mark.parametrize("case", range(len(SICK)), ids=[name.split()[0] + str(n) for n, (name, *_) in enumerate(SICK)])
def test_sick_disk(memory: Path, measures: Measures, case: int) -> None:
    """all that was accepted is there once it is well again (B1, B2, B3)"""
    name, failure, kinds = SICK[case]
    clean(sick_disks.sick_for_a_while(memory, 3, failure, kinds), measures, name)


@pytest.mark.check("a silent link is noticed and loses nothing", "链路无声中断可察觉且不丢数据")
def test_silent_link(tmp_path: Path, measures: Measures) -> None:
    """missed by its keep-alive, then everything delivered (C1)"""
    with Mosquitto() as broker:
        ledger, noticed = links.silent_then_reset(tmp_path / "C1", broker, 8.0, until_noticed=True)
    measures.notes.append(f"C1: a link that fell silent was missed after {noticed:.1f} s.")
    clean(ledger, measures, "C1 silent link")


@pytest.mark.check("lost confirmations cost duplicates and nothing else", "确认丢失只产生重复")
def test_confirmations(tmp_path: Path, measures: Measures) -> None:
    """nothing lost, no more duplicates than the window (C2)"""
    with Mosquitto() as broker:
        clean(links.confirmations_lost(tmp_path / "C2", broker, 1), measures, "C2 confirmations lost")


@pytest.mark.check("a broker that forgets costs nothing", "代理丢失数据不影响")
def test_broker_forgets(tmp_path: Path, measures: Measures) -> None:
    """with acknowledgements everything arrives (C3)"""
    clean(links.broker_forgets(tmp_path / "C3", 1), measures, "C3 broker forgets")


@pytest.mark.check("a gateway that stands still is started anew", "网关停滞会被重启")
def test_watchdog(tmp_path: Path) -> None:
    """missed by its watchdog after SIGSTOP, ready again (A7)"""
    file = tmp_path / "gewu.toml"
    file.write_text(
        '[gateway]\nid = "a"\nsite = "s"\ndata_dir = "data"\n[[uplink]]\nurl = "mqtt://127.0.0.1:9"\n',
        encoding="utf-8",
    )
    with Supervisor(gateway(file), tmp_path, watchdog_s=4.0) as unit:
        unit.attend(60)
        expect(unit.ready, "a gateway that is ready", "none within a minute")
        unit.process.send_signal(signal.SIGSTOP)
        unit.attend(60)
        expect((unit.ready, unit.starts) == (True, 2), "ready after a second start", f"{unit.starts} starts")
