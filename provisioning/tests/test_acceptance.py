"""The acceptance sheet: what it says, what it finds missing, what its photos keep, and that its signature proves it."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from gateway.cli.provision import app
from gateway.errors import ConfigurationError, GewuError
from provisioning import installer_key
from provisioning.photos import MOST, read_photos

HEAD = "id,place,circuit,profile,rating,curve,address,serial,residual,critical,upstream\n"
AT = "2026-11-22T03:00:00.000Z"
GPS, MAKER, ORIENTATION = 0x8825, 0x010F, 0x0112


def lines(device: str, ok: bool = True) -> list[dict[str, Any]]:
    about = {"do": "commission", "id": device, "uid": f"mac-{device}", "serial": f"SN-{device}"}
    return [
        {"do": "commission", "id": None, "uid": f"mac-{device}", "state": "flashed", "version": "1.25.0"},
        about | {"state": "calibrated", "calibration": "none: design values"},
        about | {"state": "addressed", "settings": "1a2b3c4d"},
        about | {"state": "commissioned", "at": AT},
        {
            "do": "verify", "at": AT, "id": device, "address": 1, "ok": ok, "release": "0.1.0",
            "differences": [] if ok else ["rating: 20 A, the plan says <16> A"],
            "values": {"voltage": 231.2, "current": 6.0, "image": 0, "not_met_350_v": True, "not_met_400_v": False},
        },
    ]  # fmt: skip


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two breakers, one without a named protection; a sensor without a circuit needs none."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "plan.csv"
    path.write_text(
        HEAD
        + "b1,溪/1,照明,gewu-breaker,16,C,1,,30,,DZ47-63 C32\nb2,溪/2,<b>插座,gewu-breaker,16,C,2,,,yes,\n"
        + "s1,溪/3,,gewu-sensor,16,,3,,,,\n",
        encoding="utf-8",
    )
    trip = {"do": "trip", "at": AT, "id": "b1", "ok": True, "by": "Li", "second": None, "opened_s": 0.2, "why": ""}
    flashed = {"do": "flash", "mac": "mac-b1", "sha256": "ab" * 32}
    journal = [*lines("b1"), trip, *lines("b2", ok=False), flashed, {"do": "verify", "id": None, "at": AT,
               "address": 9, "differences": ["unknown device: X answers at address 9"]}]  # fmt: skip
    path.with_suffix(".journal.jsonl").write_text("\n".join(map(json.dumps, journal)), encoding="utf-8")
    return path


def report(plan: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    """(exit status, the JSON form, the page)."""
    out = plan.with_name("sheet.html")
    result = CliRunner().invoke(app, ["report", "--plan", str(plan), "--out", str(out), "--json", *more])
    assert result.exit_code in (0, 1), (result.output, result.exception)
    sheet = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert json.loads(result.stdout) == sheet
    return result.exit_code, sheet, out.read_text(encoding="utf-8")


def test_the_sheet_names_what_is_there_and_what_is_missing(plan: Path) -> None:
    """Figures, trip, image and settings of each; an unnamed protection is a finding and red; texts are escaped."""
    status, sheet, page = report(plan, "--installer", "李伟", "--site", "清溪 & co")
    assert status == 1
    first, second, sensor = sheet["devices"]
    assert (first["upstream"], second["upstream"], sensor["upstream"]) == ("DZ47-63 C32", None, None)
    assert (first["serial"], first["settings"], first["micropython"]) == ("SN-b1", "1a2b3c4d", "1.25.0")
    assert (first["image_sha256"], first["verified"]["release"]) == ("ab" * 32, "0.1.0")
    assert first["verified"]["figures"] == {"voltage": 231.2, "current": 6.0, "image": 0}
    assert first["verified"]["not_met"] == ["350_v"]
    assert (first["trips"][0]["by"], first["trips"][0]["opened_s"]) == ("Li", 0.2)
    assert sheet["people"] == {"installer": "李伟"}
    assert [finding.partition(": ")[::2] for finding in sheet["findings"]] == [
        ("b1, b2", "its meter is not calibrated, do not bill by it 电表未校准，不得用于计费"),
        ("b2", "no certified upstream protection is named 未填写上级认证断路器"),
        ("b2", "rating: 20 A, the plan says <16> A"),
        ("s1", "not verified 未核验"),
        ("9", "unknown device: X answers at address 9"),
    ]
    assert '<span class="red">未填写 MISSING</span>' in page
    assert "&lt;b&gt;插座" in page
    assert "&lt;16&gt;" in page
    assert "清溪 &amp; co" in page
    assert "chosen as if this device did not exist" in page
    assert not [word for word in ("<script", "http:", "https:", "url(", "<b>插座", "@import") if word in page]


def test_protections_may_come_from_a_file(plan: Path) -> None:
    """It wins over the plan; a row that names no device is a mistake, not passed over."""
    file = plan.with_name("upstream.csv")
    file.write_text("id,upstream\nb2,NXBLE-63 C25 30 mA\n", encoding="utf-8")
    _status, sheet, _page = report(plan, "--upstream", str(file))
    assert [one["upstream"] for one in sheet["devices"]] == ["DZ47-63 C32", "NXBLE-63 C25 30 mA", None]
    for text, said in (("id,upstream\nb9,X\n", 'row 2: "b9" is no device'), ("device,mcb\n", "first row")):
        file.write_text(text, encoding="utf-8")
        result = CliRunner().invoke(app, ["report", "--plan", str(plan), "--upstream", str(file)])
        assert isinstance(result.exception, ConfigurationError)
        assert said in str(result.exception)


def test_photos_lose_where_they_were_taken(plan: Path, tmp_path: Path) -> None:
    """Upright, bounded, no place, no maker; what is no picture is named."""
    folder = tmp_path / "photos"
    folder.mkdir()
    picture = Image.effect_noise((1800, 1300), 90).convert("RGB")
    exif = picture.getexif()
    exif[MAKER], exif[ORIENTATION] = "PhoneMaker", 6
    exif.get_ifd(GPS)[2] = (30.0, 15.0, 0.0)
    picture.save(folder / "配电箱.jpg", exif=exif, comment=b"taken at home")
    _status, sheet, page = report(plan, "--photo", str(folder))
    (photo,) = read_photos([folder])
    assert (photo.caption, photo.width < photo.height, max(photo.width, photo.height)) == ("配电箱", True, 1280)
    assert len(photo.data) <= 400_000  # noise, which no camera takes
    assert not [word for word in (b"Exif", b"PhoneMaker", b"taken at home") if word in photo.data]
    assert sheet["photos"] == [{"caption": "配电箱", "sha256": photo.sha256, "bytes": len(photo.data)}]
    assert page.count("data:image/jpeg;base64,") == 1
    (folder / "no.jpg").write_bytes(b"no picture")
    with pytest.raises(ConfigurationError, match=r"no\.jpg cannot be used"):
        read_photos([folder])
    with pytest.raises(ConfigurationError, match="too many"):
        read_photos([folder / "配电箱.jpg"] * (MOST + 1))


def test_the_signature_proves_page_and_facts(plan: Path, tmp_path: Path) -> None:
    """Right as it was written; one byte of page, facts or signature, a renamed or a missing file: nothing is proved."""
    report(plan)
    page = plan.with_name("sheet.html")
    checked = CliRunner().invoke(app, ["report", "--check", str(page), "--json"])
    proved = json.loads(checked.stdout)
    assert (proved["files"], proved["own"]) == (["sheet.html", "sheet.json"], True)
    other = CliRunner().invoke(app, ["report", "--check", str(page), "--json", "--key", str(tmp_path / "no.pem")])
    assert json.loads(other.stdout)["own"] is False
    for suffix in (".html", ".json", ".sig"):
        file = page.with_suffix(suffix)
        whole = file.read_bytes()
        file.write_bytes(whole.replace(b"2026", b"2025", 1))
        with pytest.raises(GewuError, match="altered"):
            installer_key.check(page)
        file.unlink()
        with pytest.raises(GewuError, match="cannot be read"):
            installer_key.check(page)
        file.write_bytes(whole)
    page.rename(page.with_name("other.html"))
    with pytest.raises(GewuError, match="cannot be read"):
        installer_key.check(page.with_name("other.html"))


def test_the_key_is_made_once_and_kept_secret(tmp_path: Path) -> None:
    """Mode 0600; one that others can read, and one of another kind, are refused."""
    path = tmp_path / "deep" / "key.pem"
    first = installer_key.public_of(installer_key.open_key(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert installer_key.public_of(installer_key.open_key(path)) == first
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        installer_key.open_key(path)
    path.chmod(0o600)
    path.write_bytes(b"no key")
    with pytest.raises(ConfigurationError, match="no private key"):
        installer_key.open_key(path)
