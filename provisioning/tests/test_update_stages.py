"""The stages on a real store, real signatures and small environments: what they leave behind when all is not well."""

import sqlite3
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.camera import trust
from gateway.errors import GewuError
from gateway.outbox import Outbox
from gateway.outbox.migrations import released
from provisioning import slots
from provisioning.tests.site_sample import FakeClock
from provisioning.tests.small_wheels import sicken, wheels
from provisioning.update.gateway_stage import GatewayStage
from provisioning.update.models_stage import ModelsStage
from provisioning.update.update_file import GatewayPart

pytestmark = pytest.mark.integration
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SCHEMA = released()[-1][0]


class Asked:
    """A service that remembers."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def stop(self) -> None:
        self.words.append("stop")

    def start(self) -> None:
        self.words.append("start")

    def restart(self) -> None:
        self.words.append("restart")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An environment of version 1 that runs, with an outbox of today's form."""
    folder = tmp_path / "opt"
    folder.mkdir()
    slots.switch(folder, slots.build(folder, wheels(tmp_path / "w1", "1", SCHEMA)))
    Outbox(tmp_path / "data", FakeClock(), []).close()
    return folder


def stage(home: Path, tmp_path: Path, schema: int, service: Asked) -> GatewayStage:
    folder = tmp_path / "w2"
    part = GatewayPart("2", "x86_64", ["3.11"], schema)
    new = folder if folder.exists() else wheels(folder, "2", schema)
    return GatewayStage(part, new, home, tmp_path / "gewu.toml", tmp_path / "data", service, lambda: 0, 0.2)


def epoch(store: Path) -> str:
    connection = sqlite3.connect(store)
    try:
        return str(connection.execute("SELECT value FROM meta WHERE key = 'epoch'").fetchone()[0])
    finally:
        connection.close()


def test_a_version_that_is_well_is_kept(home: Path, tmp_path: Path) -> None:
    """One restart, no copy of the store, the new environment; planned again there is nothing to do."""
    service = Asked()
    update = stage(home, tmp_path, SCHEMA, service)
    assert update.plan() == ["environment b gets version 2; now 1 runs"]
    update.apply()
    assert update.plan() == ["version 2 is on trial"]
    assert update.check() is None
    assert update.plan() == []
    assert (service.words, slots.current(home)) == (["restart"], "b")
    assert not (tmp_path / "data/before-update").exists()


def test_a_sick_version_with_a_new_form_of_the_store(home: Path, tmp_path: Path) -> None:
    """Stopped for the copy; when it is left, the old form is back under a new epoch, and the new one beside it."""
    service, store = Asked(), tmp_path / "data/outbox.db"
    sicken(home, "2")
    update = stage(home, tmp_path, SCHEMA + 1, service)
    assert "the outbox gets a new form" in update.plan()[1]
    before = epoch(store)
    update.apply()
    assert service.words == ["stop", "start"]
    connection = sqlite3.connect(store)  # as the new version would
    connection.execute(f"PRAGMA user_version={SCHEMA + 1}")
    connection.close()
    why = update.check()
    assert why is not None
    assert "No gateway runs" in why
    assert service.words[2:] == ["restart"]
    assert (slots.current(home), epoch(store) != before) == ("a", True)
    assert (tmp_path / "data/outbox.db.newer").exists()
    Outbox(tmp_path / "data", FakeClock(), []).close()  # the old version opens it


def model(folder: Path, content: bytes, key: Ed25519PrivateKey = KEY) -> Path:
    """A folder with one signed model."""
    folder.mkdir()
    card = f'{{"model": {{"file": "m.tflite", "sha256": "{trust.sha256(content)}"}}}}'.encode()
    (folder / "m.json").write_bytes(card)
    (folder / "m.sig").write_bytes(trust.sign(card, key))
    (folder / "m.tflite").write_bytes(content)
    return folder


def test_models_are_switched_and_brought_back(home: Path, tmp_path: Path) -> None:
    """Signed ones take the place of those before; when the gateway is not well with them, those are back."""
    service, keys = Asked(), [trust.public_half(KEY)]
    link = home / "current/models"

    def models(folder: Path, well: str | None = None) -> ModelsStage:
        return ModelsStage(folder, home, keys, service, lambda: well)

    first = models(model(tmp_path / "m1", b"one"))
    assert first.plan() == ["new models: m"]
    first.apply()
    assert (first.check(), first.plan(), (link / "m.tflite").read_bytes()) == (None, [], b"one")
    second = models(model(tmp_path / "m2", b"two"), "a camera is blind")
    second.apply()
    assert (second.check(), (link / "m.tflite").read_bytes()) == ("a camera is blind", b"two")
    second.undo()
    assert (link / "m.tflite").read_bytes() == b"one"
    first.undo()
    first.undo()
    assert service.words == ["restart"] * 4


def test_models_of_somebody_else_are_not_switched_to(home: Path, tmp_path: Path) -> None:
    """An unknown signature, and a byte that changed: refused with the model's name, before anything is switched."""
    service = Asked()
    foreign = model(tmp_path / "m1", b"one", Ed25519PrivateKey.generate())
    altered = model(tmp_path / "m2", b"two")
    (altered / "m.tflite").write_bytes(b"tow")
    for folder in (foreign, altered):
        refused = ModelsStage(folder, home, [trust.public_half(KEY)], service, lambda: None)
        with pytest.raises(GewuError, match=r"\bm\b|m\.tflite"):
            refused.apply()
        refused.undo()
    assert (service.words, (home / "current/models").exists()) == ([], False)
