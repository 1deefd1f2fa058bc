"""A test trip: one breaker opened by an authorised command, and looked at until it is open and no current flows.

It opens and never closes: closing is done by hand, on site. Whom to ask, and whether it may, is decided before.
"""

from dataclasses import asdict, dataclass
from typing import Any

from gateway.bus.command import Code
from gateway.bus.mailbox import Mailbox
from gateway.clock import Clock
from gateway.errors import ConfigurationError, GewuError
from provisioning.plan import BREAKER, PlanRow

OPEN_WITHIN_S = 3.0
"""security.md of the references: read back within 3 s."""
# The board looks for current 1.5 s after it opened (docs/firmware.md, "Protection"); then its verdict stands.
_LOOKED_S = 2.5
_FLOWS_SHARE, _FLOWS_A = 0.02, 0.1  # from so much on the firmware says that current flows: a share of In, at least
_PAUSE_S = 0.05
BY_HAND = "close it by hand at its lever, on site; nothing closes it from afar. 须由人员在现场用手柄合闸。"


@dataclass(frozen=True, slots=True)
class Tripped:
    """What came of it. `opened_s`: until the contact was read back open; currents in A; `why` is empty when well."""

    ok: bool
    opened_s: float | None
    before_a: float
    after_a: float | None
    why: str

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def check_people(rows: list[PlanRow], by: str | None, second: str | None) -> None:
    """ConfigurationError unless these rows may be opened: breakers of ours, a person named, two for a critical load."""
    for row in rows:
        if row.profile != BREAKER:
            raise ConfigurationError(f"{row.id} is a {row.profile}: only this project's breakers are test-tripped.")
    if not (by or "").strip():
        raise ConfigurationError("A test trip needs --by NAME: who stands at the breakers and answers for it.")
    critical = [row.id for row in rows if row.critical]
    if critical and ((second or "").strip() or by) == by:
        raise ConfigurationError(
            f"{', '.join(critical)} feeds a load that keeps somebody alive: it is opened only with a second person "
            "named (--second NAME), after somebody has seen that nobody depends on it now."
        )


def trip(box: Mailbox, rating: int, clock: Clock) -> Tripped:
    """Open the breaker at `box`; `rating` in A. Raises TryAgain where it cannot be reached before anything was done."""
    before = box.values("closed", "current")
    flowed = float(before["current"])
    if not before["closed"]:
        return Tripped(False, None, flowed, None, "it is open already: " + BY_HAND.partition(";")[0] + ", then repeat")
    began = clock.monotonic()
    try:
        box.command(Code.OPEN)
        opened = _until_open(box, clock, began)
        if opened is None:
            why = f"it is not open after {OPEN_WITHIN_S:g} s; open the upstream device"
            return Tripped(False, None, flowed, None, why)
        clock.sleep(_LOOKED_S)
        after = box.values("closed", "current", "breaker_failure", "withheld")
    except GewuError as error:
        return Tripped(False, None, flowed, None, f"nothing is known of it, look at it now: {error}")
    flows = float(after["current"])
    if after["breaker_failure"] or after["withheld"] or flows > max(_FLOWS_SHARE * rating, _FLOWS_A):
        why = "TOLD TO OPEN AND CURRENT STILL FLOWS: open the upstream device now 拒动！立即断开上级断路器"
        return Tripped(False, opened, flowed, flows, why)
    if after["closed"]:
        return Tripped(False, opened, flowed, flows, "it did not stay open")
    return Tripped(True, opened, flowed, flows, "")


def _until_open(box: Mailbox, clock: Clock, began: float) -> float | None:
    while True:
        if not box.values("closed")["closed"]:
            return round(clock.monotonic() - began, 2)
        if clock.monotonic() - began > OPEN_WITHIN_S:
            return None
        clock.sleep(_PAUSE_S)
