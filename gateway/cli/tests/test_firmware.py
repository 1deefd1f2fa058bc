"""`gewu firmware`: what it prints and what it leaves."""

import json
from pathlib import Path

from typer.testing import CliRunner

from gateway.cli.firmware import app
from provisioning import firmware_build


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


def test_size_lists_each_file_and_the_total() -> None:
    """The total is the sum of the files; people get the same numbers in lines."""
    document = json.loads(CliRunner().invoke(app, ["size", "--json"]).stdout)
    assert document["total"] == sum(document["files"].values())
    plain = CliRunner().invoke(app, ["size"]).stdout
    assert f"{document['total']:7d}  together" in plain
    assert "protection.mpy" in plain
