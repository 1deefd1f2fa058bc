"""What commissioning decides: rows, keys, common settings, whether a board is well."""

import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.bus.jsonl import Report
from gateway.commands import board_keys
from gateway.errors import ConfigurationError
from gateway.tests.fake_clock import FakeClock
from provisioning.board_file import read_common, settings_of
from provisioning.bundle_contents import open_bundle
from provisioning.claims import Claims
from provisioning.device_keys import KeyFile, open_keys
from provisioning.firmware_bundle import bundle, signer
from provisioning.plan import Plan, PlanRow
from provisioning.self_test import trouble_of
from provisioning.settings import slot_bytes
from provisioning.signer import signer_of
from provisioning.trouble import Trouble


def row(device: str, address: int, serial: str | None = None, profile: str = "gewu-breaker") -> PlanRow:
    return PlanRow(address + 1, device, "p", device, profile, 16, "C", address, serial, 30, False)


PLAN = Plan((row("a", 1), row("b", 2, "SN-B"), row("m", 3, profile="eastron-sdm120"), row("c", 4)))


def noted(device: str, uid: str, serial: str | None = None) -> dict[str, Any]:
    return {"do": "commission", "id": device, "uid": uid, "serial": serial}


def code(claims: Claims, *what: Any) -> str:
    with pytest.raises(Trouble) as refused:
        claims.take(*what)
    return refused.value.code


def test_boards_take_open_rows_and_keep_them() -> None:
    """In the order of the plan; rows with a serial, and devices of other makers, are nobody's next."""
    claims = Claims(PLAN, [])
    assert [claims.take(uid, None).id for uid in ("1", "2", "1")] == ["a", "c", "a"]
    assert code(claims, "3", None) == "unknown-serial"
    assert claims.take("4", "SN-B").id == "b"
    assert code(claims, "3", None) == "plan-full"


def test_the_journal_decides() -> None:
    """The newest line of a row or a board counts; rows that left the plan, and other lines, do not."""
    lines = [noted("a", "1"), noted("gone", "7"), {"do": "flash", "id": "c"}, noted("c", "1"), noted("a", "2")]
    claims = Claims(PLAN, lines)
    assert (claims.take("1", None).id, claims.take("2", None).id) == ("c", "a")
    assert claims.row_of("7") is None


def test_serial_numbers() -> None:
    """A row's own board, a wrong one, and two that say they are the same."""
    assert Claims(PLAN, []).take("1", None, "b").serial == "SN-B"  # a fresh board gets the number
    assert code(Claims(PLAN, []), "1", "SN-X", "b") == "serial-mismatch"
    assert code(Claims(PLAN, [noted("b", "1", "SN-B")]), "2", "SN-B") == "serial-twice"
    claims = Claims(PLAN, [])
    claims.take("1", "SN-X")
    assert code(claims, "2", "SN-X") == "serial-twice"


def test_ids_that_are_asked_for() -> None:
    """A row that another board has is given only as a replacement; a board has one row."""
    claims = Claims(PLAN, [noted("a", "1")])
    assert code(claims, "2", None, "a") == "board-taken"
    assert code(claims, "1", None, "c") == "board-taken"
    assert code(claims, "2", None, "m") == "serial-mismatch"
    assert claims.take("2", None, "a", True).id == "a"
    assert claims.row_of("1") is None
    with pytest.raises(ConfigurationError, match="nearest id"):
        claims.take("3", None, "d")


def test_keys_are_kept_for_the_gateway_alone(tmp_path: Path) -> None:
    """Mode 0600, as the gateway reads them, the same again, new when asked."""
    path = tmp_path / "device-keys.toml"
    keys = open_keys(path, FakeClock())
    first = keys.key_of("b0101", new=False)
    other = keys.key_of("楼.1", new=False)
    assert first != other
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert board_keys.load(path) == {"b0101": bytes.fromhex(first), "楼.1": bytes.fromhex(other)}
    assert KeyFile(path, FakeClock()).key_of("b0101", new=False) == first
    assert KeyFile(path, FakeClock()).key_of("b0101", new=True) != first
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        open_keys(path, FakeClock())
    with pytest.raises(ConfigurationError, match="no folder"):
        open_keys(tmp_path / "none" / "keys", FakeClock())


def test_common_settings_and_the_plan_make_a_board(tmp_path: Path) -> None:
    """Both together are valid settings; the plan's own keys are refused in the common part."""
    path = tmp_path / "boards.toml"
    path.write_text('[breaker]\nbaud = 19200\nfitted = ["residual_output"]\nprotection = {capacity = 3000}\n')
    common = read_common(path)
    settings = settings_of(row("a", 9), "SN", "ab" * 32, "", common)
    assert b'"seq":3' in slot_bytes(settings, 3)
    assert (settings["baud"], settings["protection"]) == (19200, {"capacity": 3000, "residual": 30})
    assert common["breaker"]["protection"] == {"capacity": 3000}  # one board's row is not the next one's
    for text, said in (
        ("[breaker]\naddress = 3\n", "stands in the plan"),
        ("[breaker]\nbaud = 1\n", "baud"),
        ("[meter]\n", r"no table \[breaker\] or \[sensor\]"),
    ):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=said):
            read_common(path)


def test_a_signer_is_public_or_private(tmp_path: Path) -> None:
    """The same modulus from both; any other key is refused."""
    key, path = rsa.generate_private_key(65537, 2048), tmp_path / "key.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    for pem in (private, key.public_key().public_bytes(serialization.Encoding.PEM, spki)):
        path.write_bytes(pem)
        assert signer_of(path) == signer(key)
    path.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(serialization.Encoding.PEM, spki)
    )
    with pytest.raises(ConfigurationError, match="no RSA key"):
        signer_of(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        signer_of(tmp_path / "none")


def test_a_bundle_is_used_whole_or_not_at_all() -> None:
    """Any changed, missing or added byte, and another signer, are found."""
    key = rsa.generate_private_key(65537, 2048)
    files = {"app.mpy": b"one", "board.mpy": b"two" * 50}
    data = bundle(files | {"start.mpy": b"stays"}, "1.2.3", key)
    assert open_bundle(data, signer(key)) == files
    wrong = [data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :] for at in range(len(data))]
    for other in (*wrong, data[:-1], data + b"x", b"", b"GWB1"):
        with pytest.raises(Trouble, match=r"^bundle-altered: "):
            open_bundle(other, signer(key))
    with pytest.raises(Trouble, match="signature of the signer"):
        open_bundle(data, signer(rsa.generate_private_key(65537, 2048)))


WELL = {"rating": 16, "curve": 67, "residual_rated": 0.03, "measure_age": 100, "meter_fault": False, "self_test": 2}


@pytest.mark.parametrize(
    ("head", "values", "said"),
    [
        ({}, {}, None),
        ({"trouble": "settings damaged"}, {}, "settings damaged"),
        ({"serial": "other"}, {}, "its serial number is other and not SN"),
        ({"address": 2}, {}, "its address is 2 and not 1"),
        ({"profile": "gewu-sensor"}, {}, "its profile"),
        ({}, {"rating": 20}, "its rating is 20 and not 16"),
        ({}, {"curve": 66}, "its curve"),
        ({}, {"residual_rated": 0.1}, "its residual current"),
        ({}, {"meter_fault": True}, "it reports meter_fault"),
        ({}, {"self_test": 3}, "failed its test"),
        ({}, {"measure_age": 60000}, "its meter gave no value"),
    ],
)
def test_a_board_is_judged_by_its_own_report(head: dict[str, Any], values: dict[str, Any], said: str | None) -> None:
    """Anything that is not as planned, or not well, is said."""
    whole: dict[str, Any] = {
        "v": 1,
        "seq": 1,
        "profile": "gewu-breaker",
        "serial": "SN",
        "role": "breaker",
        "address": 1,
    }
    report = Report(**(whole | {"crc": ""} | head), values=WELL | values)
    found = trouble_of(report, row("a", 1), "SN")
    assert (found is None) if said is None else found is not None and said in found
