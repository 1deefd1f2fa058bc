"""The paper: three files from one document, whose hash tells any change."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from hil_tests.hil import report, virtual
from hil_tests.hil.histogram import draw, percentiles
from hil_tests.hil.verdict import AccuracyRow, Latency, Measures, Result, TripRow, Verdict
from hil_tests.hil.words import Words

TRIP = TripRow(
    device="b1", element="thermal", quantity="amps", point="row c", multiple=2.55, value=40.8, value_uncertainty=0.1,
    seconds=28.2, uncertainty_s=0.05, board_s=28.3, lowest=1.0, longest=60.0, provenance="source", judgement="met",
    instrument="a test set", real_time=True,
)  # fmt: skip
ACCURACY = AccuracyRow(
    device="b1", quantity="voltage", unit="V", reference=230.0, uncertainty=0.4, measured=230.2, limit=2.6,
    judgement="met",
)  # fmt: skip


def result(verdict: Verdict, **more: Any) -> Result:
    return Result(
        id=f"modbus/{verdict}",
        suite="modbus",
        title=Words("it <answers>", "应答"),
        device="b1",
        verdict=verdict,
        **more,
    )


def measured() -> Measures:
    return Measures(
        trips=[TRIP],
        accuracy=[ACCURACY],
        latencies=[Latency(bus="north", baud=9600, milliseconds=[1.0, 2.0, 9.0], errors=0)],
        curves={"b1": [(2.0, 55.0), (3.0, 19.6)]},
        versions={"b1": "0.1.0"},
        serials={"b1": "GW-1"},
    )


@pytest.fixture
def body() -> dict[str, Any]:
    wrong = Words("the frame was <cut>", "帧被截断")
    results = [
        result("PASS", measures=measured()),
        result("FAIL", reason=wrong, expected="a & b", came="nothing", step=Words("look", "检查"), trace=["-> 01 04"]),
        result("SETUP-ERROR", reason=wrong, came="no port"),
        result("NOT-RUN", reason=Words("nobody is there", "无人")),
    ]
    bench = virtual.shipped(True).model_copy(update={"injector": None, "reference_meter": None})
    return report.document(bench, results, 1_795_000_000.0, 1_795_000_060.0, smoke=True)


def test_the_page_says_everything_in_both_languages(body: dict[str, Any], tmp_path: Path) -> None:
    """Verdicts, expected and came, the next step, trace, trip times with limits, pictures, histogram, signatures."""
    report.write(body, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for wanted in (
        "FAIL 不合格", "a &amp; b", "it &lt;answers&gt; / 应答", "look / 检查", "-&gt; 01 04", "nobody is there / 无人",
        "28.2 ± 0.05 s", "1 – 60 s", "28.3 s", "GW-1", "0.1.0", "Trip curves 脱扣曲线", "<polyline", "p99 9.00 ms",
        "230.2 V", "Signature 签名", "size: A4", body["sha256"],
    ):  # fmt: skip
        assert wanted in page, wanted
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_junit_never_counts_what_did_not_run_as_a_pass(body: dict[str, Any], tmp_path: Path) -> None:
    """One failure, one error, one skipped, of four."""
    report.write(body, tmp_path)
    root = Xml.parse(tmp_path / "junit.xml").getroot()
    assert [root.get(key) for key in ("tests", "failures", "errors", "skipped")] == ["4", "1", "1", "1"]
    (failure,) = root.iter("failure")
    assert failure.text is not None
    assert "expected: a & b" in failure.text


@pytest.mark.parametrize("name", report.FILES)
def test_any_change_is_seen(body: dict[str, Any], tmp_path: Path, name: str) -> None:
    """Whole as it was written; one character in any of the three files, and it is not."""
    report.write(body, tmp_path)
    assert report.check(tmp_path) == []
    file = tmp_path / name
    file.write_bytes(file.read_bytes().replace(b"2026-", b"2027-", 1))
    (trouble,) = report.check(tmp_path)
    assert "was changed" in trouble
    file.unlink()
    assert "cannot be read" in report.check(tmp_path)[0]


def test_the_document_is_json(body: dict[str, Any]) -> None:
    """And counts all four verdicts."""
    assert json.loads(json.dumps(body))["verdicts"] == dict.fromkeys(("PASS", "FAIL", "SETUP-ERROR", "NOT-RUN"), 1)


def test_a_histogram_has_all_its_answers() -> None:
    """The tallest bar is named; one that took far longer is in the last bar."""
    values = [5.0] * 99 + [400.0]
    assert percentiles(values) == {"p50": 5.0, "p90": 5.0, "p99": 5.0, "max": 400.0}
    assert ">99</text>" in draw("north", values)
