"""The receiver into SQL: once each, over restarts and beside another writer, corrected, and what a report needs."""

import json
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.errors import ConfigurationError, StoreError, TryAgain
from gateway.receiver import tables
from gateway.receiver.database import Database
from gateway.receiver.keep import Batch
from gateway.receiver.receiver import Receiver
from gateway.receiver.subscriber import Delivery
from gateway.receiver.taken import Taken, take
from gateway.records import rfc3339
from gateway.tests.postgres import postgres

T0 = 1_795_000_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.integration)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'centre.db'}"
    found: str = request.getfixturevalue("server")
    engine = sa.create_engine(found.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        tables.metadata.drop_all(connection)
    engine.dispose()
    return found


def readings(seq: int, first: int, count: int, **more: Any) -> tuple[str, bytes]:
    """A message of `count` readings, one a second."""
    found = [
        {"device": "b1", "at": rfc3339(T0 + 1000 * (first + i)), "clock": more.get("clock", "trusted"),
         "values": {"voltage": 230.5, "说明": "雨\u0000", "big": 2**60, "on": True}, "marks": {"voltage": "stale"}}
        for i in range(count)
    ]  # fmt: skip
    extra = {key: more[key] for key in ("filtered", "last") if key in more}
    return "readings", json.dumps(head(seq) | {"boot": "B", "sent": rfc3339(T0), "first": first, "readings": found}
                                  | extra).encode()  # fmt: skip


def event(seq: int, n: int, **more: Any) -> tuple[str, bytes]:
    return "events", json.dumps(
        head(seq) | {"n": n, "id": f"id{n}", "kind": "trip.arc", "grade": 2, "device": "b1", "place": "liuxi/qingxi",
                     "raised": rfc3339(T0), "cleared": None, "values": {"current": 3.5},
                     "evidence": [{"name": "a.jpg", "sha256": "00", "bytes": 3, "kept_until": rfc3339(T0)}]} | more
    ).encode()  # fmt: skip


def other(kind: str, seq: int, /, **content: Any) -> tuple[str, bytes]:
    return kind, json.dumps(head(seq) | content).encode()


def head(seq: int) -> dict[str, Any]:
    return {"seq": seq, "epoch": "E"}


def gap(first: int, last: int) -> dict[str, Any]:
    span = {"from": rfc3339(T0), "to": rfc3339(T0)}
    return {"stream": "readings", "first": first, "last": last, "reason": "full"} | span


class Line:
    """See `gateway.receiver.receiver.Line`."""

    def __init__(self) -> None:
        self.arrived: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self.connections = 1
        self.confirmed: list[int] = []
        self.acks: list[int] = []

    def confirm(self, delivery: Delivery) -> None:
        self.confirmed.append(delivery.mid)

    def publish(self, topic: str, payload: bytes) -> bool:
        if topic.endswith("/acks"):
            self.acks.append(json.loads(payload)["seq"])
        return True


class Centre:
    """A receiver into `url`, on a clock of its own."""

    def __init__(self, url: str) -> None:
        self.now = 0.0
        self.line = Line()
        self.keep = Database(url)
        self.receiver = Receiver(self.line, self.keep, lambda: self.now)

    def arrive(self, *messages: tuple[str, bytes], gateway: str = "s/g") -> dict[str, Any]:
        for kind, payload in messages:
            self.line.arrived.put(Delivery(f"gewu/{gateway}/{kind}", payload, 1, len(self.line.confirmed)))
        self.now += 10
        self.receiver.step(0)
        return self.receiver.report()

    def rows(self, table: sa.Table) -> list[dict[str, Any]]:
        with self.keep._engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(sa.select(table))]

    def close(self) -> None:
        self.keep.close()


def reopened(url: str) -> dict[str, Any]:
    """What a receiver that starts now knows."""
    centre = Centre(url)
    centre.close()
    return centre.receiver.report()


@pytest.fixture
def centre(url: str) -> Iterator[Centre]:
    centre = Centre(url)
    yield centre
    centre.close()


def test_everything_is_kept_once_and_acknowledged_after_the_commit(centre: Centre, url: str) -> None:
    """All kinds, two gateways, duplicates within a batch and over a restart: the tables and the report agree."""
    batch = [readings(1, 1, 3), event(2, 1), readings(3, 4, 2), readings(3, 4, 2),
             other("cases", 4, n=1, id="c", case={"who": "王"}, transition={"to": "x"}),
             other("gaps", 5, **gap(6, 9)),
             readings(6, 10, 1)]  # fmt: skip
    report = centre.arrive(*batch)
    assert centre.line.acks == [6]
    assert (report["delivered"], report["lost"], report["duplicates"]) == (8, 0, 1)
    centre.arrive(("status", b'{"state":"online","since":"2026-11-18T11:06:40.123Z","version":"1","boot":"B"}'))
    centre.arrive(readings(1, 1, 1), gateway="s/h")
    assert len(centre.rows(tables.reading)) == 7
    assert [row["n"] for row in centre.rows(tables.reading) if row["gateway"] == "s/g"] == [1, 2, 3, 4, 5, 10]
    (row,) = centre.rows(tables.event)
    assert (row["raised"], row["values"], row["evidence"][0]["name"]) == (T0, {"current": 3.5}, "a.jpg")
    again = Centre(url)
    before = centre.receiver.report()
    assert again.receiver.report() == before
    report = again.arrive(*batch)
    assert (report["delivered"], report["lost"], report["duplicates"]) == (9, 0, 8)
    assert report["gateways"]["s/g"]["state"] == "online"
    assert reopened(url) == report
    assert len(again.rows(tables.reading)) == 7
    again.close()


def test_the_report_says_what_is_missing_and_when_it_was_made(centre: Centre, url: str) -> None:
    """Gateway, epoch, stream, numbers, and the times of the neighbours; the same after a restart."""
    centre.arrive(readings(1, 1, 2), readings(3, 5, 2), event(6, 2))
    (epoch,) = centre.receiver.report()["gateways"]["s/g"]["epochs"]
    wanted = [
        {"stream": "readings", "first": 3, "last": 4, "after": rfc3339(T0 + 2000), "before": rfc3339(T0 + 5000)},
        {"stream": "events", "first": 1, "last": 1, "after": None, "before": rfc3339(T0)},
        {"stream": "messages", "first": 2, "last": 2, "after": rfc3339(T0 + 2000), "before": rfc3339(T0 + 5000)},
        {"stream": "messages", "first": 4, "last": 5, "after": rfc3339(T0 + 6000), "before": rfc3339(T0)},
    ]
    assert epoch["epoch"] == "E"
    assert epoch["holes"] == wanted
    assert reopened(url)["gateways"]["s/g"]["epochs"][0]["holes"] == wanted


def test_behind_a_filter_the_messages_alone_prove_it(centre: Centre, url: str) -> None:
    """Numbers of records jump, and nothing is missing while no message is; one that is missing shows."""
    report = centre.arrive(
        readings(1, 5, 2, filtered=True, last=50),
        event(2, 7, filtered=True),
        readings(3, 90, 1, filtered=True, last=99),
    )
    assert (report["delivered"], report["lost"]) == (4, 0)
    assert [row["n"] for row in centre.rows(tables.reading)] == [None] * 3
    report = centre.arrive(readings(5, 200, 1, filtered=True, last=200))
    assert (report["lost"], report["gateways"]["s/g"]["missing"]) == (1, [["messages", 4, 4]])
    assert reopened(url) == report


def test_corrections_reach_readings_before_and_after_them(centre: Centre, url: str) -> None:
    """Untrusted times of that boot in that span move, once; those sent again later too, over a restart as well."""
    told = {"boot": "B", "offset_ms": 3_600_000, "from": rfc3339(T0), "to": rfc3339(T0 + 5000)}
    centre.arrive(readings(1, 1, 2, clock="untrusted"), readings(2, 3, 1), other("corrections", 3, **told))
    centre.arrive(other("corrections", 3, **told), readings(4, 4, 3, clock="untrusted"))
    again = Centre(url)
    again.arrive(readings(5, 2, 1, clock="untrusted"))
    found = {(row["seq"], row["n"]): (row["clock"], row["at"] - T0) for row in again.rows(tables.reading)}
    hour = 3_600_000
    assert found == {
        (1, 1): ("corrected", hour + 1000), (1, 2): ("corrected", hour + 2000), (2, 3): ("trusted", 3000),
        (4, 4): ("corrected", hour + 4000), (4, 5): ("corrected", hour + 5000), (4, 6): ("untrusted", 6000),
        (5, 2): ("corrected", hour + 2000),
    }  # fmt: skip
    exported = next(row for row in again.keep.records("readings") if row["seq"] == 1)
    assert (exported["at"], exported["clock"]) == (rfc3339(T0 + hour + 1000), "corrected")
    again.close()


def test_corrections_reach_events_as_well(centre: Centre, url: str) -> None:
    """Raising and clearing move by what their boot's clock was wrong; an event with a trusted time stays."""
    told = {"boot": "B", "offset_ms": 3_600_000, "from": rfc3339(T0), "to": rfc3339(T0 + 5000)}
    common = {"id": "x", "kind": "trip.arc", "grade": 1, "device": None, "place": "p", "values": {}}
    dark = common | {"boot": "B", "clock": "untrusted", "raised": rfc3339(T0 + 1000)}
    centre.arrive(
        other("events", 1, n=1, **dark, cleared=None),
        other("corrections", 2, **told),
        other("events", 3, n=2, **dark, cleared=rfc3339(T0 + 4000)),
        other("events", 4, n=3, **common, raised=rfc3339(T0), cleared=None),
    )
    found = {row["n"]: (row["clock"], row["raised"] - T0, row["cleared"]) for row in centre.rows(tables.event)}
    hour = 3_600_000
    assert found == {
        1: ("corrected", hour + 1000, None), 2: ("corrected", hour + 1000, T0 + hour + 4000), 3: (None, 0, None),
    }  # fmt: skip


def test_two_receivers_into_one_database_keep_each_message_once(centre: Centre, url: str) -> None:
    """Whoever is second finds it there, counts a repetition, and acknowledges with good reason."""
    second = Centre(url)
    centre.arrive(readings(1, 1, 2), readings(2, 3, 2))
    second.arrive(readings(2, 3, 2), readings(3, 5, 1), readings(1, 1, 2))
    assert second.line.acks == [3]
    assert len(second.rows(tables.reading)) == 5
    assert sum(row["again"] for row in second.rows(tables.message)) == 2
    second.close()


def test_a_database_that_is_away_confirms_nothing_and_loses_nothing(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch waits; neither the broker nor the gateway hears a word until it is committed."""

    def away(_batch: Batch) -> None:
        raise TryAgain("The database is away.")

    keep = centre.keep.keep
    monkeypatch.setattr(centre.keep, "keep", away)
    report = centre.arrive(readings(1, 1, 2))
    assert (report["delivered"], centre.line.confirmed, centre.line.acks) == (0, [], [])
    monkeypatch.setattr(centre.keep, "keep", keep)
    report = centre.arrive(readings(2, 3, 2))
    report = centre.arrive()
    assert (report["delivered"], len(centre.line.confirmed), centre.line.acks[-1]) == (4, 2, 2)


def test_what_the_database_cannot_hold_is_named_and_the_rest_is_kept(centre: Centre) -> None:
    """One message of a batch that no column takes: the others are in, that one is missing and says why."""
    poison = take("gewu/s/g/events", event(2, 1)[1], T0)
    assert isinstance(poison, Taken)
    bad = poison._replace(start=2**70)
    good = [take("gewu/s/g/readings", readings(seq, seq, 1)[1], T0) for seq in (1, 3)]
    batch = Batch([one for one in (good[0], bad, good[1]) if isinstance(one, Taken)], [], [])
    (refused,) = centre.keep.keep(batch)
    assert refused.taken is bad
    assert [row["seq"] for row in centre.rows(tables.message)] == [1, 3]


def test_damaged_input_is_refused_named_and_counted(centre: Centre) -> None:
    """Numbers beyond 2^53, a NUL in a name, a day that does not exist, no JSON: the next message is taken."""
    wrong = [
        event(2**60, 1), event(1, 1, device="b\u0000"), event(1, 1, raised="2026-13-45T00:00:00.000Z"),
        ("events", b"\xff\xfe"), ("readings", b"[]"), other("gaps", 1, **gap(5, 2**60)),
        other("gaps", 1, **gap(5, 4)), ("status", b"[" * 100_000),
        ("cases", b'{"seq":1,"epoch":"E","n":1,"id":"c","transition":{},"case":' + b'{"a":' * 40 + b"1" + b"}" * 41),
    ]  # fmt: skip
    report = centre.arrive(*wrong, event(1, 1))
    assert (report["rejected"], report["delivered"]) == (9, 1)
    said = " ".join(one["why"] for one in report["damaged"])
    assert all(word in said for word in ("beyond 2^53", "is no name", "names nothing", "levels deep"))
    topics = {one["topic"].removeprefix("gewu/s/g/") for one in report["damaged"]}
    assert topics == {"events", "readings", "gaps", "status", "cases"}
    assert len(centre.line.confirmed) == 10


def test_tables_of_a_newer_release_are_not_touched(centre: Centre, url: str) -> None:
    """The sentence says what to do."""
    with centre.keep._engine.begin() as connection:
        connection.execute(tables.meta.update().values(value=99))
    with pytest.raises(StoreError, match="newer gewu"):
        Database(url)


def test_a_wrong_url_is_a_sentence(tmp_path: Path) -> None:
    """No such kind of database, no such folder, no server; a password is never repeated."""
    for url in ("nosuchdb://x/y", "sqlite", "://"):
        with pytest.raises(ConfigurationError, match="is no database"):
            Database(url)
    with pytest.raises(TryAgain):
        Database(f"sqlite:///{tmp_path}/none/x.db")
    with pytest.raises(TryAgain) as away:
        Database("postgresql://u:canary@127.0.0.1:1/x")
    assert "canary" not in str(away.value)
