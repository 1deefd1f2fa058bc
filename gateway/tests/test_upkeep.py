"""What an uplink watches becomes events: raised once, cleared once, also over a restart."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.records import ClockState, Event, OpenEvent
from gateway.tests.certificates import Authority
from gateway.tests.fake_broker import FakeBroker, FakeLink
from gateway.tests.fake_clock import FakeClock
from gateway.uplink import certificates
from gateway.uplink.budget import Budget
from gateway.uplink.bulletin import Bulletin
from gateway.uplink.link import Publication
from gateway.uplink.settings import UplinkSettings
from gateway.uplink.upkeep import Upkeep


class _Events:
    """The outbox's open events."""

    def __init__(self) -> None:
        self.records: list[Event] = []
        self.open: dict[str, OpenEvent] = {}

    def accept_event(self, event: Event, key: str) -> None:
        self.records.append(event)
        if event.cleared is None:
            self.open[event.id] = OpenEvent(event=event, key=key)
        else:
            del self.open[event.id]

    def open_events(self) -> list[OpenEvent]:
        return list(self.open.values())


class _Clock(FakeClock):
    """Its wall clock is the real one at first, as the certificates' are."""

    def __init__(self) -> None:
        super().__init__(wall_ms=int(datetime.now(UTC).timestamp() * 1000))
        self.worth: ClockState = "trusted"

    def state(self) -> ClockState:
        return self.worth


class _Bench:
    def __init__(self, per_month: int | None = None, **files: Path) -> None:
        self.events = _Events()
        self.clock = _Clock()
        self.per_month = per_month
        self.files = files
        self.link: FakeLink | None = FakeLink(FakeBroker())
        self.restart()

    def restart(self) -> None:
        settings = UplinkSettings(
            name="county", site="s", gateway="g", url="mqtts://b", max_bytes_per_month=self.per_month,
            ca=self.files.get("ca"), cert=self.files.get("cert"),
        )  # fmt: skip
        self.budget = Budget(None, self.per_month, lambda: None, lambda _: None)
        self.upkeep = Upkeep(settings, self.clock, self.budget, Bulletin("county", self.events, self.clock))

    def look(self, after: float = 0.0) -> list[tuple[str, int, bool]]:
        """The events that the look after so many seconds added: kind, grade, whether it raises."""
        self.clock.now += after
        before = len(self.events.records)
        self.upkeep.look(self.link)
        return [(e.kind, e.grade, e.cleared is None) for e in self.events.records[before:]]


def test_a_certificate_is_renewed_in_time(tmp_path: Path) -> None:
    """Thirty days before its end a yellow event, seven days before an orange one; a renewed file clears it."""
    authority = Authority(tmp_path / "ca")
    cert, _ = authority.issue("gateway", "127.0.0.1", days=40)
    bench = _Bench(cert=cert)
    assert bench.look() == []
    assert bench.upkeep.days_left["cert"] == pytest.approx(40, abs=0.2)
    assert bench.look(11 * 86400) == [("gateway.certificate", 3, True)]
    bench.restart()
    assert bench.look(60) == []
    assert bench.look(23 * 86400) == [("gateway.certificate", 3, False), ("gateway.certificate", 2, True)]
    authority.issue("gateway", "127.0.0.1", days=400)
    assert bench.look(60) == [("gateway.certificate", 2, False)]


def test_a_wrong_clock_accuses_no_certificate(tmp_path: Path) -> None:
    """While the clock is not believed nothing is raised; the days are shown as they look."""
    cert, _ = Authority(tmp_path / "ca").issue("gateway", "127.0.0.1", days=-1)
    bench = _Bench(cert=cert)
    bench.clock.worth = "untrusted"
    assert bench.look() == []
    assert bench.upkeep.days_left["cert"] < 0


def test_a_bundle_holds_as_long_as_its_last(tmp_path: Path) -> None:
    """During a rotation the file holds the old authority and the new one; what is no certificate counts not."""
    old, new = Authority(tmp_path / "old"), Authority(tmp_path / "new")
    cert, _ = new.issue("long", "127.0.0.1", days=90)
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(old.ca.read_bytes() + cert.read_bytes())
    until = certificates.ends(bundle)
    assert until is not None
    assert until > datetime.now(UTC) + timedelta(days=80)
    bundle.write_text("rubbish")
    assert certificates.ends(bundle) is None
    assert certificates.days_left({"ca": bundle, "cert": None}, 0) == {}


def test_a_spent_month_is_an_event(tmp_path: Path) -> None:
    """It is raised when the bytes are gone, and cleared by the next month."""
    bench = _Bench(per_month=100_000)
    assert bench.look() == []
    bench.budget.pay(Publication("t", b"x" * 100_000))
    assert bench.look(60) == [("gateway.uplink", 3, True)]
    assert bench.look(60) == []
    assert bench.look(32 * 86400)[0] == ("gateway.uplink", 3, False)


def test_an_outage_becomes_an_event_after_ten_minutes() -> None:
    """Shorter ones are daily life."""
    bench = _Bench()
    assert bench.look() == []
    link, bench.link = bench.link, None
    assert bench.look(60) + bench.look(300) == []
    assert bench.look(301) == [("gateway.uplink", 4, True)]
    bench.link = link
    assert bench.look(60) == [("gateway.uplink", 4, False)]


def test_the_broker_s_own_certificate_is_watched() -> None:
    """Its end is known from the handshake; it is told before the day on which nothing connects any more."""
    bench = _Bench()
    assert bench.link is not None
    bench.link.ends = datetime.now(UTC) + timedelta(days=5)
    assert bench.look() == [("gateway.certificate", 2, True)]
    assert bench.upkeep.days_left == {"broker": pytest.approx(5, abs=0.2)}
