"""Spoiled answers, few of them here: `gewu bench frames` tries a million."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.bus.wire import crc
from hil_tests.bench.frames import measure, spoiled, try_frames, try_one


def test_eight_thousand_spoiled_answers_give_no_wrong_value() -> None:
    """No crash, nothing taken that an independent check refuses; all ways of spoiling were seen."""
    found = try_frames(8_000, seed=4)
    assert found["crashes"] == found["wrong_values"] == 0
    assert {"taken", "crc", "cut", "no-answer", "wrong-unit", "wrong-answer", "exception"} <= found.keys()
    assert found["taken"] < 8_000 / 4  # what was left untouched, and what an answer is in spite of what follows


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.booleans())
def test_no_bytes_whatever_crash_it(noise: bytes, sealed: bool) -> None:
    """Any bytes, also with a right checksum: refused by a cause, or the answer that was asked for."""
    assert try_one(noise + crc(noise) if sealed else noise) not in ("crashes", "wrong_values")


def test_the_same_seed_spoils_the_same_way() -> None:
    """A failure can be had again."""
    assert [spoiled(random.Random(9)) for _ in range(3)] == [spoiled(random.Random(9)) for _ in range(3)]


def test_the_report_has_limits() -> None:
    """Crashes and wrong values have the limit nought, as contract section 1 shapes it."""
    report = measure(50, seed=1)
    limits = {row.metric: row.limit for row in report.rows if row.limit is not None}
    assert limits == {"crashes": 0.0, "wrong_values": 0.0}
    assert report.name == "frames"
    assert "Python" in report.machine
