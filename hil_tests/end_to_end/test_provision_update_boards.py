"""`gewu provision update-boards`: a real bundle onto a board through its running gateway, cut and gone on with."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.camera.trust import public_half
from gateway.clock import SystemClock
from gateway.config import load as load_config
from gateway.lent import LentLine, serves
from gateway.tests.command_samples import issuers_file
from hil_tests.bench.update import release
from hil_tests.brokers import Mosquitto
from hil_tests.end_to_end.scene import GEWU, Site, gewu
from hil_tests.rig.flash import fill, settings_of
from hil_tests.rig.site import Board, Bus, parse_site
from hil_tests.rig.village import Village
from provisioning import firmware_bundle
from provisioning.journal import Journal
from provisioning.settings import slot_bytes
from provisioning.site_update import Night
from provisioning.update.own_boards import OwnBoards
from provisioning.update.stages import Outcome
from provisioning.update.system import Systemd
from provisioning.update.update_file import Manifest, pack
from provisioning.update.updating import Site as SiteOfUpdate
from provisioning.update.updating import look, update

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
SIGNING = rsa.generate_private_key(65537, 2048)
KEY = bytes(range(32)).hex()
HEAD = "id,place,circuit,profile,rating,curve,address,critical\n"


def load(folder: Path, board: Board, bus: Bus) -> None:
    fill(folder, board, bus)
    given = {"key": KEY, "signer": firmware_bundle.signer(SIGNING)}
    (folder / "settings.a").write_bytes(slot_bytes(settings_of(board, bus) | given, 1))


@pytest.fixture
def village(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    boards: list[dict[str, Any]] = [{"id": f"b{at}", "address": at, "current": 6.0} for at in (1, 2, 3)]
    site = parse_site({"bus": [{"name": "n", "baud": 115200, "board": boards}]}, "test")
    with Village(site, tmp_path_factory.mktemp("rig"), load=load) as up:
        yield up


def test_boards_are_updated_through_the_running_gateway(
    village: Village, mosquitto: Mosquitto, site: Site, tmp_path: Path
) -> None:
    """Killed in the middle of the blocks and repeated: proven. The second has another key: the third is not begun."""
    (bus,) = village.state()["buses"]
    plan = tmp_path / "plan.csv"
    plan.write_text(HEAD + "".join(f"b{at},p,c{at},gewu-breaker,16,C,{at},\n" for at in (1, 2, 3)), encoding="utf-8")
    keys = tmp_path / "device-keys.toml"
    keys.write_text(f'[keys]\nb1 = "{KEY}"\nb2 = "{"cd" * 32}"\nb3 = "{KEY}"\n', encoding="utf-8")
    known = site.folder / "gateway-keys.toml"
    known.write_text(f'[keys]\nb1 = "{KEY}"\nb3 = "{KEY}"\n', encoding="utf-8")
    for file in (keys, known):
        file.chmod(0o600)
    (tmp_path / "new.bundle").write_bytes(release(SIGNING))
    spki = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "maker.pem").write_bytes(SIGNING.public_key().public_bytes(*spki))
    device = "".join(f'[[bus.device]]\nid = "b{at}"\nprofile = "gewu-breaker"\naddress = {at}\n' for at in (1, 3))
    table = f'[commands]\nkeys = "{issuers_file(site.folder).name}"\ndevice_keys = "{known}"\n'
    site.configure(f'{table}[[bus]]\nname = "n"\nport = "{bus["port"]}"\nbaud = 115200\n{device}', mosquitto.url)
    site.start_gateway()
    site.wait_for_values("b1")

    command = [
        "provision", "update-boards", "--plan", str(plan), "--bus", bus["port"], "--baud", "115200",
        "--bundle", str(tmp_path / "new.bundle"), "--signer", str(tmp_path / "maker.pem"),
        "--now", "--share", "1", "--watch", "1", "--yes", "--json",
    ]  # fmt: skip
    cut = subprocess.Popen([*GEWU, *command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert cut.stderr is not None
    try:
        assert any("sending 50" in line for line in cut.stderr)
    finally:
        cut.send_signal(signal.SIGKILL)
        cut.wait()
        cut.stderr.close()

    said = gewu(*command, status=1, seconds=300)
    rows = json.JSONDecoder().raw_decode(said)[0]
    assert [(row["id"], row["before"], row["state"]) for row in rows] == [
        ("b1", "0.1.0", "proven"),
        ("b2", "0.1.0", "failed"),
        ("b3", "", "waits"),
    ]
    assert "the signature is wrong" in rows[1]["trouble"]
    assert "is held by the gateway in" in said
    assert "安全第一" in said
    lines = [json.loads(line) for line in plan.with_suffix(".journal.jsonl").read_text(encoding="utf-8").splitlines()]
    states = [line["state"] for line in lines if line["id"] == "b1"]
    assert states == ["begun", "begun", "transferred", "installed", "started", "proven"]
    assert said.count("b1: sending") < 4  # what was there before the cut was not sent again
    assert (site.device("b1") or {})["online"]

    # The rest of them as a part of a signed update of the whole site, by the gateway's own configuration.
    (tmp_path / "opt").mkdir()
    maker, file = Ed25519PrivateKey.generate(), tmp_path / "site.update"
    pack(
        file,
        Manifest(1, "2026-11-22T00:00:00Z", [], boards=True),
        {"boards/firmware.bundle": tmp_path / "new.bundle"},
        maker,
    )
    clock, config = SystemClock(), load_config(site.config)
    with Journal(tmp_path / "updates.jsonl", clock) as journal:
        night, socket = Night(None, lambda: True, 1.0, 0.0), serves(site.data_dir, bus["port"])
        assert socket is not None
        own = OwnBoards(config, lambda _: LentLine(socket), night, lambda: None, journal, clock, lambda *_: None)
        whole = SiteOfUpdate(tmp_path / "opt", config, Systemd(), [public_half(maker)], [], clock, boards=own.stage())
        manifest = look(file, whole, journal, older=False)
        for outcome in (Outcome("boards", "done"), Outcome("boards", "no change")):
            found = update(file, manifest, whole, journal, lambda _: None)
            assert found == [outcome], found
        assert [line["state"] for line in journal.lines if line.get("id") == "b3"][-1] == "proven"
        assert not any(line.get("id") == "b1" and line["state"] == "begun" for line in journal.lines)
