"""The bench file: strict, closed by default, the same after it was written and read."""

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigurationError
from gateway.tomlfile import Section
from hil_tests.hil import bench_file, virtual
from hil_tests.hil.bench_file import BenchFile, parse_bench, read_bench, write_bench
from hil_tests.hil.needs import NEEDS, lacking

PAGE = Path(__file__).resolve().parents[3] / "docs" / "hil.md"
DESK: dict[str, Any] = {
    "bench": {"name": "cellar", "kind": "desk"},
    "bus": [{"name": "a", "port": "socket://10.0.0.7:4001", "device": [{"id": "b1", "address": 1}]}],
}


def bench(**more: Any) -> BenchFile:
    return parse_bench(DESK | more, "test", Path("/bench"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bench": {"name": "x", "kind": "desk", "allow_trips": True}}, 'nearest known key is "allow_trip"'),
        ({"bus": [{"name": "a", "device": [{"id": "b1", "address": 1}]}]}, "has no `port`"),
        ({"bus": DESK["bus"] * 2}, "two buses are called 'a'"),
        ({"injector": {"kind": "rig"}}, "belongs to a virtual bench"),
        ({"bus": [{"name": "a", "port": "p", "device": [{"id": "b1", "address": 300}]}]}, "at most 247"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], says: str) -> None:
    """One sentence that names the key and what would be right."""
    with pytest.raises(ConfigurationError, match=says.replace("`", ".")):
        bench(**change)


def test_nothing_is_allowed_unless_somebody_wrote_it() -> None:
    """A bench file that says nothing of it is read-only."""
    assert not any(bench().allows(one) for one in ("trip", "write", "update", "power_cut"))
    assert bench(bench=DESK["bench"] | {"allow_trip": True}).allows("trip")


def test_files_are_looked_for_beside_it() -> None:
    """Keys, bundles and own profiles; a shipped profile stays a name."""
    device = {"id": "b1", "address": 1, "key_file": "b1.key", "profile": "meter.toml"}
    found = bench(bus=[DESK["bus"][0] | {"device": [device]}], update={"bundle": "new.bundle"})
    assert found.bus[0].device[0].key_file == "/bench/b1.key"
    assert found.bus[0].device[0].profile == "/bench/meter.toml"
    assert (found.update.bundle, found.update.older) == ("/bench/new.bundle", "")


@pytest.mark.parametrize("smoke", [False, True])
def test_the_shipped_bench_is_the_same_after_writing(smoke: bool, tmp_path: Path) -> None:
    """Every table and key of it goes through a file and back, and the file is its owner's alone."""
    shipped = virtual.shipped(smoke)
    write_bench(shipped, tmp_path / "bench.toml")
    assert read_bench(tmp_path / "bench.toml") == shipped
    assert (tmp_path / "bench.toml").stat().st_mode & 0o077 == 0


def test_on_the_virtual_bench_only_people_and_their_instruments_are_lacking() -> None:
    """With keys, serials and bundles, as `up` fills them in, nothing else is ever NOT-RUN there."""
    shipped = virtual.shipped(False)
    bundles = {"bundle": "a", "older": "b", "dying": "c"}
    filled = shipped.model_copy(update={"update": shipped.update.model_copy(update=bundles)})
    device = filled.bus[0].device[0].model_copy(update={"serial": "b1", "key_file": "k"})
    assert {need for need in NEEDS if lacking(filled, device, [need], [])} <= {"person", "second_person"}


def test_what_a_desk_lacks_is_said_in_both_languages() -> None:
    """Permission first, then what is missing; an unknown mark is an error of the suite."""
    found = lacking(bench(), None, ["injector.amps"], ["trip"])
    assert found is not None
    assert "allow_trip" in found.en and "未允许" in found.zh  # noqa: PT018
    found = lacking(bench(), None, ["injector.amps"], [])
    assert found is not None and "no injector of amps" in found.en  # noqa: PT018
    with pytest.raises(ConfigurationError, match="oscilloscope"):
        lacking(bench(), None, ["oscilloscope"], [])


def test_every_key_is_documented() -> None:
    """Each key of each table stands in the first column of a table of docs/hil.md."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    named = set(re.findall(r"`([a-z_]+)`", " ".join(line.split("|")[1] for line in lines if line.startswith("| "))))
    tables = [one for one in vars(bench_file).values() if isinstance(one, type) and issubclass(one, Section)]
    assert {key for table in tables for key in table.model_fields} <= named
