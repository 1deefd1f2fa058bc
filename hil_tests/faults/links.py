"""Trials of the uplink's network: black holes (C1), lost confirmations (C2), a broker that forgets (C3), flapping (C4).

Against real brokers, in real time; each says what it cost.
"""

import math
import time
from pathlib import Path

from hil_tests.brokers import Mosquitto
from hil_tests.faults.ledger import Ledger
from hil_tests.faults.mqtt_filter import PUBACK, dropping
from hil_tests.faults.network import WAYS
from hil_tests.faults.station import PATIENCE_S, Broker, Restartable, Station, resources

KEEPALIVE_S = 2
GATEWAY_KEEPALIVE_S = 20  # the default of gateway/uplink/settings.py


def silent_then_reset(
    folder: Path, broker: Broker, seconds: float, keepalive: int = KEEPALIVE_S, *, until_noticed: bool = False
) -> tuple[Ledger, float]:
    """C1: the link is silent for `seconds` and then reset; also after how many seconds the silence was noticed.

    Records are accepted before, in the first second and throughout. NaN when it was over before it was noticed;
    `until_noticed` lets it last so long, whatever else the machine has to do.
    """
    with Station(folder, broker, keepalive=keepalive) as station:
        station.until("the first connection", station.connected)
        station.accept(50)
        station.proxy.silence()
        began, noticed = time.monotonic(), math.nan
        while (elapsed := time.monotonic() - began) < (
            PATIENCE_S if until_noticed and math.isnan(noticed) else seconds
        ):
            station.accept(5)
            if math.isnan(noticed) and not station.connected():
                noticed = elapsed
            time.sleep(min(0.2, seconds / 10))
        station.proxy.reset()
        station.proxy.heal()
        return station.finish(), noticed


def confirmations_lost(folder: Path, broker: Broker, rounds: int) -> Ledger:
    """C2: PUBACKs are thrown away while records flow, then the connection breaks; `rounds` times.

    Duplicates must stay within the window for each disconnect.
    """
    with Station(folder, broker) as station:
        for _ in range(rounds):
            station.until("a connection", station.connected)
            station.proxy.filter(dropping("down", (PUBACK,)))
            station.proxy.cut()
            station.until("the loss is seen", lambda: not station.connected())
            station.until("a connection", station.connected)
            station.accept(40, events=3)
            station.until("the far end has seen what is not confirmed", station.events_seen)
            station.proxy.filter(None)
            station.proxy.cut()
            station.until("all is delivered", lambda: station.outbox.stats().queued == 0)
        ledger = station.finish()
        ledger.runs = rounds
        breaks = station.uplink.status().reconnects + 1
        if ledger.duplicates > breaks * station.settings.window:
            ledger.troubles.append(f"{ledger.duplicates} duplicates in {breaks} disconnects")
        return ledger


def broker_forgets(folder: Path, kills: int) -> Ledger:
    """C3: a broker that keeps nothing is killed while its consumer is away; with acknowledgements nothing is lost."""
    with Mosquitto() as broker, Station(folder, broker, acks=True) as station:
        for _ in range(kills):
            station.until("a connection", station.connected)
            station.accept(60, events=2)
            station.until("something sent", lambda: station.uplink.status().sent > 0)
            broker.restart()
        ledger = station.finish()
        ledger.runs = kills
        return ledger


def flapping(folder: Path, broker: Broker, times: int) -> Ledger:
    """C4: connections reset again and again; neither threads nor open files grow."""
    with Station(folder, broker) as station:
        station.until("a connection", station.connected)
        station.accept(10)
        station.until("it is delivered", lambda: station.outbox.stats().queued == 0)
        before = resources()
        for _ in range(times):
            station.proxy.reset()
            station.until("the loss is seen", lambda: not station.connected())
            station.accept(3)
            station.until("a connection", station.connected)
        ledger = station.finish()
        ledger.runs = times
        after = resources()
        if after[0] > before[0] + 1 or after[1] > before[1] + 3:
            ledger.troubles.append(f"threads and files grew from {before} to {after} in {times} disconnects")
        return ledger


def one_way_loss(folder: Path, broker: Broker) -> Ledger:
    """What goes down is lost, then what goes up, then the line is narrow and slow: all arrives in the end."""
    with Station(folder, broker) as station:
        for way in WAYS:
            station.until("a connection", station.connected)
            station.proxy.lose(way)
            station.accept(30)
            station.until("the loss is seen", lambda: not station.connected())
            station.proxy.heal()
        station.proxy.sickness.bandwidth = 20_000.0
        station.proxy.sickness.delay = 0.1
        station.accept(100)
        return station.finish()


def broker_restarts(folder: Path, broker: Restartable, rounds: int) -> Ledger:
    """A broker of another house, killed and stopped in turn with records under way, and started again."""
    with Station(folder, broker, acks=True) as station:
        for number in range(rounds):
            station.until("a connection", station.connected)
            station.accept(60, events=3)
            before = station.uplink.status().confirmed
            station.until("something confirmed", lambda before=before: station.uplink.status().confirmed > before)  # type: ignore[misc]
            broker.stop() if number % 2 else broker.kill()
            station.accept(60, events=3)
            broker.start()
        station.accept(20)
        ledger = station.finish()
        ledger.runs = rounds
        return ledger
