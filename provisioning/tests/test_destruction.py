"""A gateway that is retired: no canary in database, write-ahead log, files or secrets; what is public stays, named."""

import ast
import fcntl
import itertools
import json
import os
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway import shipped
from gateway.cli.provision import app
from gateway.config import load
from gateway.errors import GewuError
from provisioning import destruction, installer_key
from provisioning.retire import FORGOTTEN

CANARY = "canary-7f3a91"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stopped gateway with a canary in its store, its write-ahead log, a picture, its keys and a password."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "installer"))
    data = tmp_path / "data"
    (data / "pictures").mkdir(parents=True)
    (data / "pictures" / "one.jpg").write_bytes(CANARY.encode() * 100_000)
    (data / "pictures" / "link").symlink_to(tmp_path / "gewu.toml")
    (tmp_path / "password").write_text(CANARY, encoding="ascii")
    (tmp_path / "keys.toml").write_text(f'[keys]\nb1 = "{"ab" * 32}"\n# {CANARY}\n', encoding="ascii")
    (tmp_path / "issuers.toml").write_text("", encoding="ascii")
    path = tmp_path / "gewu.toml"
    path.write_text(
        f'[gateway]\nid = "gw"\nsite = "qingxi"\ndata_dir = "{data}"\n'
        '[[bus]]\nname = "n"\nport = "/dev/null"\nbaud = 9600\n'
        '[[bus.device]]\nid = "b1"\nprofile = "gewu-breaker"\naddress = 1\n'
        '[[uplink]]\nname = "county"\nurl = "mqtt://h"\nusername = "u"\npassword_file = "password"\n'
        '[commands]\nkeys = "issuers.toml"\ndevice_keys = "keys.toml"\n',
        encoding="utf-8",
    )
    return path


def holding(folder: Path) -> list[Path]:
    """The files below `folder` with the canary in them."""
    return [p for p in folder.rglob("*") if p.is_file() and CANARY.encode() in p.read_bytes()]


def retire(config: Path, *more: str) -> tuple[int, str]:
    out = config.with_name("certificate.json")
    line = ["retire", "--gateway", "--config", str(config), "--by", "Li", "--certificate", str(out), *more]
    result = CliRunner().invoke(app, line)
    said = result.output + (str(result.exception) if isinstance(result.exception, GewuError) else "")
    return result.exit_code, said


def test_nothing_of_the_data_is_left_and_the_certificate_proves_it(config: Path) -> None:
    """Also not under another name of the same file: what lay there was overwritten before it was removed."""
    data = config.parent / "data"
    store = sqlite3.connect(data / "outbox.db")
    store.execute("PRAGMA journal_mode=WAL")
    store.execute("CREATE TABLE t (x)")
    store.executemany("INSERT INTO t VALUES (?)", [(CANARY * 50,)] * 200)
    store.commit()
    store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.execute("UPDATE t SET x = x || 'again'")
    store.commit()
    other = config.parent / "other"
    other.mkdir()
    for path in [*data.glob("outbox.db*"), data / "pictures" / "one.jpg", config.with_name("keys.toml")]:
        os.link(path, other / path.name)
    assert len(holding(config.parent)) == 9
    status, said = retire(config, "--yes")
    store.close()
    assert status == 0, said
    assert holding(config.parent) == []
    assert list(data.iterdir()) == []
    assert not config.with_name("password").exists()
    assert config.exists()  # the link's target, and no secret
    document = json.loads(config.with_name("certificate.json").read_text(encoding="utf-8"))
    assert (document["kind"], document["gateway"], document["by"]) == (
        "destruction",
        {"id": "gw", "site": "qingxi"},
        "Li",
    )
    rows = {row["file"]: row for row in document["files"]}
    assert {
        "outbox.db",
        "outbox.db-wal",
        "pictures/one.jpg",
        "pictures/link",
        str(config.with_name("keys.toml")),
    } <= set(rows)
    assert (rows["pictures/one.jpg"]["bytes"], len(rows["pictures/one.jpg"]["sha256"])) == (1_300_000, 64)
    assert rows[str(config.with_name("keys.toml"))]["sha256"] is None
    assert str(config.with_name("issuers.toml")) in document["left"]
    assert installer_key.check(config.with_name("certificate.json"))["files"] == ["certificate.json"]
    assert "there is no file" in retire(config, "--yes")[1]  # there is nothing left to repeat


@pytest.mark.parametrize("after", range(1, 5))
def test_a_cut_is_mended_by_the_same_command(config: Path, after: int) -> None:
    """Wherever it stopped, the next one destroys what is left."""
    counted = itertools.count(1)

    def cut() -> None:
        if next(counted) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        destruction.destroy(load(config), cut)
    assert retire(config, "--yes")[0] == 0
    assert holding(config.parent) == []


def test_a_running_gateway_and_an_unasked_person_are_left_alone(config: Path) -> None:
    """Nothing is touched while somebody holds the folder, or when nobody can be asked."""
    before = holding(config.parent)
    assert "nobody can be asked" in retire(config)[1]
    with (config.parent / "data" / "lock").open("w", encoding="ascii") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "A gateway runs on" in retire(config, "--yes")[1]
    assert holding(config.parent) == before
    assert "--config" in str(CliRunner().invoke(app, ["retire", "--gateway", "--by", "Li"]).exception)


def test_the_tool_and_the_board_forget_the_same_files() -> None:
    """The list here and the one in the firmware."""
    tree = ast.parse((shipped.firmware() / "orders.py").read_text(encoding="utf-8"))
    (there,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "_FORGOTTEN"
    )
    assert there == FORGOTTEN
