"""`gewu provision gateway` at the terminal: what it prints, and what it never prints."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.provision import app
from gateway.errors import ConfigurationError
from provisioning.tests.site_sample import CANARY, write_site


def test_the_code_is_printed_once_and_no_secret_ever(tmp_path: Path) -> None:
    """As lines and as JSON; a second run says that there is no change."""
    site = write_site(tmp_path)
    words = ["gateway", "--site", str(site), "--gateway", "qingxi-01", "--out", str(tmp_path / "out")]
    first = CliRunner().invoke(app, words)
    assert first.exit_code == 0, first.output
    assert "First-use code" in first.output
    again = CliRunner().invoke(app, [*words, "--json"])
    document = json.loads(again.output)
    assert (document["changes"], document["first_use_code"], document["done"]) == ([], None, True)
    keys = [file.read_text() for file in (tmp_path / "qingxi.keys").glob("*.key")]
    assert len(keys) == 5  # the authority, the broker, the gateway, two clients
    for secret in [CANARY, *(line for key in keys for line in key.splitlines() if not line.startswith("-"))]:
        assert secret not in first.output + again.output


def test_where_to_is_asked_for(tmp_path: Path) -> None:
    """Neither a folder nor a host, or both, and a package that is none: each is a sentence."""
    site = ["gateway", "--site", str(write_site(tmp_path)), "--gateway", "qingxi-01"]
    for words, sentence in (
        ([], "--out FOLDER or --ssh HOST"),
        (["--out", "o", "--ssh", "h"], "--out FOLDER or --ssh HOST"),
        (["--out", "o", "--package", "gone.deb"], "no .deb file"),
    ):
        with pytest.raises(ConfigurationError, match=sentence):
            CliRunner().invoke(app, [*site, *words], catch_exceptions=False)
    assert not (tmp_path / "qingxi.keys").exists()
