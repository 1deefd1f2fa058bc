"""`gewu firmware`: what it prints and what it leaves."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.firmware import app
from gateway.errors import ConfigurationError
from provisioning import firmware_build


@pytest.mark.integration
def test_build_leaves_the_flash_of_a_board_in_the_folder(tmp_path: Path) -> None:
    """--out gets main.py and one .mpy a module; --json names them; a fresh table is left alone."""
    out = tmp_path / "new" / "flash"
    result = CliRunner().invoke(app, ["build", "--out", str(out), "--json"])
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["files"] == sorted(path.name for path in out.iterdir())
    assert {"main.py", "app.mpy"} <= set(document["files"])
    assert document["table_changed"] is False
    assert len(document["files"]) == len(firmware_build.firmware_files())
    names = Path(document["names"]).read_text(encoding="ascii")
    assert any(line.startswith("app _") and line.endswith(" _guarded") for line in names.splitlines())


@pytest.mark.integration
def test_size_lists_each_file_and_the_total() -> None:
    """The total is the sum of the files; people get the same numbers in lines."""
    document = json.loads(CliRunner().invoke(app, ["size", "--json"]).stdout)
    assert document["total"] == sum(document["files"].values())
    plain = CliRunner().invoke(app, ["size"]).stdout
    assert f"{document['total']:7d}  together" in plain
    assert "protection.mpy" in plain


def curve(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["curve", *arguments])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.stdout


@pytest.mark.integration
def test_curve_prints_a_row_for_each_current_in_the_order_asked() -> None:
    """The keys of the contract; element and actor as the firmware recorded them."""
    rows = json.loads(curve("--rating", "16", "--curve", "C", "--amps", "160,18.08,80", "--json"))
    assert [row["amps"] for row in rows] == [160, 18.08, 80]
    assert [(row["trips"], row["element"], row["by"]) for row in rows] == [
        (True, "instantaneous", "chip"),
        (False, None, None),
        (True, "thermal", "firmware"),
    ]
    assert rows[1]["after_s"] is None
    assert rows[0]["after_s"] < 0.1 < rows[2]["after_s"] < 15


@pytest.mark.integration
def test_curve_counts_from_the_step_after_the_soak() -> None:
    """Row b: 1.45 In straight after an hour at 1.13 In, well below an hour and faster than cold."""
    cold, hot = (json.loads(curve("--amps", "23.2", "--json", *more))[0]["after_s"] for more in ([], ["--hot", "1.13"]))
    assert 40 < hot < 60 < cold < 3600


@pytest.mark.integration
def test_curve_says_what_the_fitted_chip_cannot_meet(tmp_path: Path) -> None:
    """With a BL0942 350 V is not met, with an ADE7953 it is; residual current is the module's; a picture on request."""
    svg = tmp_path / "curve.svg"
    assert "350 V wants 0.25 s to 0.75 s (memory): NOT MET by the fitted hardware" in curve("--volts", "350")
    assert ": met" in curve("--volts", "350", "--meter", "ade7953", "--svg", str(svg))
    assert svg.read_text().startswith("<svg")
    rows = json.loads(curve("--residual", "0.03", "--type", "S", "--amps", "0.015,0.15", "--json"))
    assert [(row["trips"], row["by"]) for row in rows] == [(False, None), (True, "module")]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--amps"),
        (["--amps", "1", "--volts", "2"], "either"),
        (["--amps", "1,x"], "numbers"),
        (["--amps", "-1"], "0 to 100000"),
        (["--amps", "1", "--curve", "K"], "B, C, D"),
        (["--amps", "1", "--meter", "abc"], "bl0942"),
        (["--amps", "1", "--residual", "0.001"], "0.006"),
    ],
)
def test_curve_refuses_what_makes_no_sense(arguments: list[str], word: str) -> None:
    """A sentence that names the option."""
    result = CliRunner().invoke(app, ["curve", *arguments])
    assert isinstance(result.exception, ConfigurationError)
    assert word in str(result.exception)
