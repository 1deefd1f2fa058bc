"""`gewu bench uplink`: draining, bytes on the wire, and how soon records arrive, beside raw ceilings of the same run.

Everything goes through a real outbox, the real uplink and a real mosquitto. `docs/uplinks.md` says what the
figures mean.
"""

from collections.abc import Callable
from dataclasses import dataclass

from hil_tests.bench import uplink_drain, uplink_latency, uplink_wire
from hil_tests.bench.row import Report, machine
from hil_tests.bench.uplink_load import READINGS_A_DAY

_JSON_READINGS = 300_000
_COMPACT_READINGS = 7 * READINGS_A_DAY
_DELAYED_READINGS = 500_000
_LINE_DELAY_S = 0.05  # each way: a mobile network's


@dataclass(frozen=True)
class Plan:
    """`days` of backlog beside live readings; `seconds` that each of the timed figures is watched."""

    days: float = 1.0
    seconds: float = 20.0


def measure(plan: Plan, say: Callable[[str], None]) -> Report:
    """All figures; some minutes, most of them to fill outboxes."""
    say("Draining a backlog in JSON, beside bare paho and one object a device and poll.")
    rows = uplink_drain.rows("json", _JSON_READINGS)
    say("The same, compact.")
    rows += uplink_drain.rows("compact", _COMPACT_READINGS)
    say("The same over a line with a delay, where the window is the bound.")
    rows += uplink_drain.rows("compact", _DELAYED_READINGS, _LINE_DELAY_S)
    say(f"Counting bytes on the wire for {plan.seconds + 20:g} s.")
    rows += uplink_wire.rows(plan.seconds + 20)
    say(f"Filling {plan.days:g} days of backlog twice, and draining them beside live readings.")
    rows += uplink_latency.rows(plan.days, plan.seconds)
    return Report(name="uplink", rows=rows, machine=machine())
