"""The quick suite once, over socket:// to a virtual bench in another process, as over a serial server."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
GEWU = [sys.executable, "-m", "gateway", "hil"]
# A machine that is busy with other things cannot tell some times from their limits, and says so.
BUSY = "cannot be told from the limit"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Path]:
    """The bench file of a virtual bench that another process plays."""
    file = tmp_path / "bench.toml"
    command = [*GEWU, "--virtual", "--smoke", "--serve", str(file), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        for line in other.stdout:
            if line == "}\n":
                break
        yield file
        other.send_signal(signal.SIGTERM)
        assert other.wait(60) == 0


def test_the_quick_suite_over_a_serial_server(served: Path, tmp_path: Path) -> None:
    """No FAIL; NOT-RUN only what needs a person; the paper is there, whole, and says the same."""
    assert "socket://127.0.0.1:" in served.read_text(encoding="utf-8")
    paper = tmp_path / "out"
    command = [*GEWU, "--bench", str(served), "--smoke", "--report", str(paper), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=360, check=False)
    document = json.loads(done.stdout)
    tests = {test["id"]: test for test in document["tests"]}
    bad = {name: test["came"] for name, test in tests.items() if test["verdict"] in ("FAIL", "SETUP-ERROR")}
    assert all(BUSY in came for came in bad.values()), bad
    assert done.returncode == (1 if bad else 0)
    assert document["verdicts"]["PASS"] >= 40
    assert {test["reason"] for test in tests.values() if test["verdict"] == "NOT-RUN"} == {
        "a person who looks at the board ([people] technician, present)"
    }
    assert {"identity", "modbus", "protection", "metering", "journal", "authority", "traffic", "gateway", "camera"} <= {
        test["suite"] for test in tests.values()
    }
    checked = subprocess.run([*GEWU, "--check", str(paper)], capture_output=True, text=True, timeout=60, check=False)
    assert checked.returncode == 0, checked.stderr
    assert json.loads((paper / "report.json").read_text(encoding="utf-8"))["sha256"] == document["sha256"]
    # Each failure would carry its trace: the suite keeps what passed on the line.
    assert "<svg" in (paper / "report.html").read_text(encoding="utf-8")
