"""What a board's metering chip shows at the bench, by the firmware's own driver under the REPL, before any factor.

It reads through mpremote; what the values are worth is `calibration`'s business.
"""

import json
from collections.abc import Mapping
from typing import Any

from provisioning.calibration import Reading, design_of
from provisioning.repl import Repl
from provisioning.trouble import Trouble

_SETTLE_MS, _LAST_MS = 1200, 2400  # a chip averages over 400 ms, and what was before must have left it
_ADE7953_BAUD, _BL0942_BAUD = 4800, 9600
# The driver's factors are caught with their raw numbers, which are finer than its whole mA, 0.1 V and 0.1 W. The
# watchdog of a board that ran before is fed; without its program it would bite after ten minutes.
_MEASURE = """
import json,time,machine,factor
machine.WDT(timeout=600000).feed()
import METER as chip
from board import Board
taps=[]
class Tap(factor.Factor):
    def __init__(self,n,d,g=1000000):
        super().__init__(n,d,g)
        self.n=n
        self.d=d
        self.raw=0
        taps.append(self)
    def of(self,raw):
        self.raw=raw
        return super().of(raw)
chip.Factor=Tap
t=time.ticks_ms()
m=chip.CLASS(Board(PINS,"ROLE").meter_uart(BAUD),SHUNT,DIVIDER,t)
s=[]
n=-1
while time.ticks_diff(time.ticks_ms(),t)<LAST:
    m.step(time.ticks_ms())
    if m.alive and m.sequence!=n and time.ticks_diff(time.ticks_ms(),t)>=SETTLE:
        n=m.sequence
        s.append([taps[1].raw,taps[0].raw,taps[2].raw])
    time.sleep_ms(m.pause_ms)
print(json.dumps([s[-32:],[[taps[i].n,taps[i].d] for i in (1,0,2)]]))
"""


def samples(board: Repl, settings: Mapping[str, Any]) -> list[Reading]:
    """Some seconds of readings by the design of `settings`; none where the chip is silent. Raises Trouble."""
    shunt, divider, meter = design_of(settings)
    words = {
        "METER": meter,
        "CLASS": meter.capitalize(),
        "PINS": repr(dict(settings.get("pins", {}))),
        "ROLE": settings["role"],
        "BAUD": _ADE7953_BAUD if meter == "ade7953" else settings.get("meter_baud", _BL0942_BAUD),
        "SHUNT": shunt,
        "DIVIDER": divider,
        "LAST": _LAST_MS,
        "SETTLE": _SETTLE_MS,
    }
    source = _MEASURE
    for word, value in words.items():
        source = source.replace(word, str(value))
    try:
        rows, factors = json.loads(board.run(source))
        # The drivers count in 0.1 V, mA and 0.1 W.
        volt, ampere, watt = (n / d / units for (n, d), units in zip(factors, (10, 1000, 10), strict=True))
        return [Reading(v * volt, a * ampere, w * watt) for v, a, w in rows]
    except (ValueError, TypeError) as error:
        raise Trouble("meter-silent", "what the board said of its metering chip is not understood") from error
