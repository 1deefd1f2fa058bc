"""What an uplink watches beside its messages: the month's budget, its certificates, an outage that lasts.

Each becomes an event of the gateway, raised once and cleared once.
"""

from gateway.clock import Clock
from gateway.uplink import certificates
from gateway.uplink.budget import Budget
from gateway.uplink.bulletin import Bulletin
from gateway.uplink.link import Link
from gateway.uplink.settings import UplinkSettings

_EVERY_S = 60.0
# Shorter outages are the daily life of a rural network.
_OUTAGE_S = 600.0


class Upkeep:
    """The watch of one uplink; `look` is cheap and may be called in every step."""

    def __init__(self, settings: UplinkSettings, clock: Clock, budget: Budget, bulletin: Bulletin) -> None:
        self._settings = settings
        self._clock = clock
        self._budget = budget
        self._bulletin = bulletin
        self._look_at = 0.0
        self._gone_since: float | None = None
        self.days_left: dict[str, float] = {}

    def look(self, link: Link | None) -> None:
        """Look at everything that is due. Raises StoreError; the next minute tries again."""
        now = self._clock.monotonic()
        if link is not None:
            self._gone_since = None
        elif self._gone_since is None:
            self._gone_since = now
        if now < self._look_at:
            return
        self._look_at = now + _EVERY_S
        self._look_at_certificates(link)
        self._budget.look(self._clock.wall_ms(), self._clock.state() == "trusted")
        spent = self._budget.spent()
        limit = self._settings.max_bytes_per_month or 0
        self._bulletin.set(
            "budget", "gateway.uplink", 3 if spent else None, {"reason": "month's budget spent", "bytes": limit}
        )
        gone = self._gone_since is not None and now - self._gone_since >= _OUTAGE_S
        self._bulletin.set("link", "gateway.uplink", 4 if gone else None, {"reason": "not connected"})

    def look_soon(self) -> None:
        """Something changed: look in the next step."""
        self._look_at = 0.0

    def _look_at_certificates(self, link: Link | None) -> None:
        files = {"ca": self._settings.ca, "cert": self._settings.cert}
        wall = self._clock.wall_ms()
        self.days_left |= certificates.days_left(files, wall)
        until = link.ends if link is not None else None
        if until is not None:
            self.days_left["broker"] = certificates.days(until, wall)
        if self._clock.state() == "untrusted":
            return  # a wrong clock makes every certificate look wrong
        for what, left in self.days_left.items():
            self._bulletin.set(
                f"certificate {what}", "gateway.certificate", certificates.grade(left), {"file": what, "days": left}
            )
