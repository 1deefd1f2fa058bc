"""Who sees what of a centre's records: by place and level, by kind, with and without persons; the export as typed."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway.cli.main import app
from gateway.cli.receive import show
from gateway.errors import ConfigurationError
from gateway.receiver.access import Access, AccessFile, impersonal, load, within
from gateway.receiver.files import Files
from gateway.receiver.keep import Batch
from gateway.receiver.ledger import Ledger
from gateway.receiver.taken import Taken, take
from gateway.tests.test_database import T0, event, other, readings

RULES = """
[[reader]]
who = "county"
places = [""]
personal = true
[[reader]]
who = "qingxi"
places = ["liuxi/qingxi"]
[[reader]]
who = "fire"
places = ["liuxi"]
streams = ["events"]
kinds = ["trip.", "alarm.smoke"]
[places]
"s/g" = "liuxi/qingxi"
"s/h" = "liuxi/other"
"s/h/b9" = "liuxi/qingxi/estate"
"""


@pytest.fixture
def rules(tmp_path: Path) -> Access:
    file = tmp_path / "access.toml"
    file.write_text(RULES, encoding="utf-8")
    return load(file)


def record(stream: str = "readings", **more: Any) -> dict[str, Any]:
    return {"stream": stream, "gateway": "s/g", "device": "b1", "values": {"x": 1}} | more


@pytest.mark.parametrize(
    ("one", "seen_by"),
    [
        (record(), {"county", "qingxi"}),
        (record(gateway="s/h"), {"county"}),
        (record(gateway="s/h", device="b9"), {"county", "qingxi"}),
        (record(gateway="s/unknown"), {"county"}),
        (record("events", kind="trip.arc", place="liuxi/other/b"), {"county", "fire"}),
        (record("events", kind="trip.arc", place="liuxi/qingxi-new"), {"county", "fire"}),
        (record("events", kind="alarm.sos", place="liuxi/qingxi/x"), {"county", "qingxi"}),
        (record("events", kind="alarm.smoke", place=""), {"county", "qingxi", "fire"}),
        (record("cases", case={"place": "liuxi/other"}), {"county"}),
        (record("cases", case={}), {"county", "qingxi"}),
    ],
)
def test_each_sees_its_own_places(rules: Access, one: dict[str, Any], seen_by: set[str]) -> None:
    """A record's own place counts, then its device's, then its gateway's; what nobody can place only who sees all."""
    assert {who for who in ("county", "qingxi", "fire") if rules.may(rules.reader(who), one)} == seen_by


def test_devices_are_where_their_events_say(rules: Access) -> None:
    """Learned from events, unless the file says otherwise."""
    told = {"gateway": "s/h", "place": "liuxi/qingxi/unit"}
    rules.learn([record("events", device="b3", **told), record("events", device="b9", **(told | {"place": "x"}))])
    qingxi = rules.reader("qingxi")
    assert rules.may(qingxi, record(gateway="s/h", device="b3"))
    assert rules.may(qingxi, record(gateway="s/h", device="b9"))
    assert not rules.may(qingxi, record(gateway="s/h", device="b4"))


@given(st.lists(st.sampled_from(["a", "b", "ab"]), max_size=4), st.lists(st.sampled_from(["a", "b", "ab"]), max_size=4))
def test_a_place_is_within_its_own_levels_only(place: list[str], top: list[str]) -> None:
    """Level by level, never by letters."""
    assert within("/".join(place), "/".join(top)) == (place[: len(top)] == top)
    assert within(None, "/".join(top)) == (not top)


def test_persons_are_left_out() -> None:
    """Pictures, what such events measured, and who a case is about, at any depth; nothing else, and not in place."""
    case = {"id": 1, "reporter": {"name": "王"}, "steps": [{"phone": "1", "note": "x"}], "place": "p"}
    one = record("cases", case=case, transition={"by": "office", "name": "王"})
    hidden = impersonal(one)
    assert hidden["case"] == {"id": 1, "reporter": None, "steps": [{"phone": None, "note": "x"}], "place": "p"}
    assert hidden["transition"] == {"by": "office", "name": None}
    assert case["reporter"] == {"name": "王"}
    told = impersonal(record("events", kind="alarm.vital", evidence=[{"name": "a.jpg"}]))
    assert (told["values"], told["evidence"]) == ({}, [])
    assert impersonal(record("events", kind="trip.arc", evidence=[]))["values"] == {"x": 1}


def test_a_wrong_access_file_is_a_sentence(tmp_path: Path, rules: Access) -> None:
    """A stranger, somebody twice, a key that nobody knows."""
    with pytest.raises(ConfigurationError, match="knows county, fire, qingxi"):
        rules.reader("mayor")
    file = tmp_path / "twice.toml"
    file.write_text('[[reader]]\nwho = "a"\nplaces = [""]\n' * 2)
    with pytest.raises(ConfigurationError, match="make them one"):
        load(file)
    file.write_text('[[reader]]\nwho = "a"\nplaces = [""]\npersonel = true\n')
    with pytest.raises(ConfigurationError, match='nearest known key is "personal"'):
        load(file)
    assert AccessFile.model_fields["places"].description


@pytest.mark.parametrize("kind", ["folder", "database"])
def test_the_export_is_what_one_may_see(tmp_path: Path, kind: str) -> None:
    """Out of a folder and out of a database the same lines, corrected, and a line that is damaged is passed over."""
    from gateway.receiver.database import Database

    into = str(tmp_path / "received") if kind == "folder" else f"sqlite:///{tmp_path / 'c.db'}"
    keep = Files(Path(into)) if kind == "folder" else Database(into)
    arrived = [
        ("s/g", readings(1, 1, 1, clock="untrusted")), ("s/g", event(2, 1)), ("s/h", readings(1, 1, 2)),
        ("s/g", other("corrections", 3, boot="B", offset_ms=5000, **{"from": "2026-11-18T00:00:00.000Z",
                                                                      "to": "2026-11-19T00:00:00.000Z"})),
    ]  # fmt: skip
    taken = [take(f"gewu/{gateway}/{kind}", payload, T0) for gateway, (kind, payload) in arrived]
    keep.keep(Batch([one for one in taken if isinstance(one, Taken)], [], []))
    keep.close()
    if kind == "folder":
        with (Path(into) / "readings.jsonl").open("ab") as lines:
            lines.write(b"\xffnonsense\n")
    access = tmp_path / "access.toml"
    access.write_text(RULES, encoding="utf-8")
    words = ["receive", "export", "--into", into, "--access", str(access), "--as"]
    shown = CliRunner().invoke(app, [*words, "qingxi"])
    assert shown.exit_code == 0, shown.output
    found = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [(one["stream"], one["gateway"], one["n"]) for one in found] == [
        ("events", "s/g", 1),
        ("readings", "s/g", 1),
    ]
    assert (found[0]["evidence"], found[1]["clock"], found[1]["at"]) == ([], "corrected", "2026-11-18T11:06:46.000Z")
    everything = CliRunner().invoke(app, [*words, "county", "--stream", "readings", "--json"])
    assert [one["gateway"] for one in json.loads(everything.stdout)] == ["s/g", "s/h", "s/h"]
    wrong = CliRunner().invoke(app, [*words, "county", "--stream", "secrets"]).exception
    assert isinstance(wrong, ConfigurationError)


def test_people_read_what_is_missing_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, epoch and times are never cut off, however narrow the terminal."""
    monkeypatch.setenv("COLUMNS", "40")
    ledger = Ledger()
    for kind, payload in (readings(1, 1, 2), event(4, 1)):
        taken = take(f"gewu/qingxi/qingxi-01/{kind}", payload, T0)
        assert isinstance(taken, Taken)
        ledger.accept(taken.gateway, taken.message, taken.start, taken.end)
    ledger.reject("gewu/qingxi/qingxi-01/events", "this is no message")
    report = ledger.report()
    report["gateways"]["qingxi/qingxi-01"]["state"] = None
    show(report)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "qingxi/qingxi-01 (unknown): 2 readings, 1 event; 0 duplicate messages"
    assert said[2].split() == [
        "qingxi/qingxi-01", "E", "messages", "2", "3", "2026-11-18T11:06:42.000Z", "2026-11-18T11:06:40.000Z",
    ]  # fmt: skip
    assert said[3:] == [
        "1 message refused on gewu/qingxi/qingxi-01/events: this is no message",
        "3 records received; 2 records missing.",
    ]
