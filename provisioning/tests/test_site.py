"""From a site file to a gateway's parcel: what is in it, what changes, what is refused, what is never said."""

import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from gateway import first_use
from gateway.errors import ConfigurationError
from provisioning.site import parcel as folders
from provisioning.site.authority import Authority
from provisioning.site.model import read_site
from provisioning.site.provision import Parcel, parcel
from provisioning.site.toml_text import toml
from provisioning.tests.site_sample import FakeClock, chance, write_site

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def made(site: Path, name: str = "qingxi-01", **how: bool) -> Parcel:
    return parcel(site, name, FakeClock(), chance, **how)


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_everything_a_gateway_needs(tmp_path: Path) -> None:
    """Configuration, keys, broker and system files, each with its mode and owner; secrets for their user alone."""
    files = made(write_site(tmp_path)).files
    entries = dict(line.split("\t")[::-1][::2] for line in files["files"].decode().splitlines())
    secret = {path for path, mode in entries.items() if mode == "600"}
    assert secret == {
        *(f"/etc/gewu/{name}" for name in ("gateway.key", "device-keys.toml", "first-use.json")),
        *(f"/etc/mosquitto/gewu/{name}" for name in ("acl", "broker.key")),
    }
    config = files["root/etc/gewu/gewu.toml"].decode()
    for line in (
        'port = "/dev/gewu/north"',
        "critical = true",
        'place = "street/北街"',
        'url = "mqtts://localhost:8883"',
    ):
        assert line in config
    rules = files["root/etc/udev/rules.d/80-gewu.rules"].decode()
    assert 'ENV{ID_SERIAL_SHORT}=="A50285BI", SYMLINK+="gewu/north"' in rules
    assert b"NTP=192.168.1.1" in files["root/etc/systemd/timesyncd.conf.d/gewu.conf"]
    assert files["timezone"] == b"Asia/Shanghai\n"
    assert stat.S_IMODE((tmp_path / "qingxi.keys/ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "qingxi.keys").stat().st_mode) == 0o700
    other = made(tmp_path / "qingxi.toml", "qingxi-02").files
    assert not any("mosquitto" in name for name in other)
    assert b'url = "mqtts://gewu.local:8883"' in other["root/etc/gewu/gewu.toml"]


def test_again_is_no_change_and_a_change_is_only_itself(tmp_path: Path) -> None:
    """The same bytes, and a code only the first time; a corrected plan changes the configuration and nothing else."""
    site, out = write_site(tmp_path), tmp_path / "out"
    first = made(site)
    assert first.code is not None
    folders.write(out, first.files, [])
    again = made(site)
    assert (again.code, folders.write(out, again.files, [])) == (None, [])
    change(tmp_path / "north.csv", ",2,yes", ",3,yes")
    assert folders.write(out, made(site).files, []) == ["changed root/etc/gewu/gewu.toml"]
    change(site, 'timezone = "Asia/Shanghai"\n', "")
    assert folders.write(out, made(site).files, []) == ["removed timezone"]
    renewed = folders.write(out, made(site, renew=True).files, [])
    assert all(line.endswith((".pem", ".key")) for line in renewed)
    assert "changed root/etc/gewu/gateway.key" in renewed
    assert made(site, new_code=True).code is not None


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    """--out names a folder with photographs: nothing is written or removed there."""
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").touch()
    with pytest.raises(ConfigurationError, match="holds something else"):
        folders.write(photos, {"files": b""}, [])
    assert [path.name for path in photos.iterdir()] == ["a.jpg"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('id = "qingxi-02"', 'id = "qingxi-01"', 'two gateways are called "qingxi-01"'),
        ('on = "qingxi-01"', 'on = "qingxi-03"', "no gateway in use"),
        ('name = "county"', 'name = "qingxi-02"', '"qingxi-02" is the name of two'),
        ('adapter = "A50285BI"\n', "", "needs one of port, adapter and usb"),
        ('"gewu.local", ', '"gewu local", ', "no name or address of a machine"),
        ("[[gateway.bus]]", "[gateway.config.bus]", "is made from the rest of this file"),
        ('plan = "north.csv"', 'plans = "north.csv"', 'the nearest known key is "plan"'),
        ('keys = "issuers.toml"', 'keys = "gone.toml"', "gone.toml cannot be read"),
        ('keys = "issuers.toml"', 'keys = "/etc/shadow"', "put that file beside the site file"),
        ("[gateway.config.commands]", "[gateway.config.commands]\nrates = 3", 'the nearest known key is "rate"'),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    """Each mistake has a sentence that names the key; no parcel comes of it."""
    site = write_site(tmp_path)
    change(site, old, new)
    with pytest.raises(ConfigurationError) as refused:
        made(site)
    assert sentence in str(refused.value)


def test_the_plan_is_checked(tmp_path: Path) -> None:
    """A mistake in a plan is said with its row, and no configuration is made of it."""
    site = write_site(tmp_path)
    change(tmp_path / "north.csv", ",1,", ",2,")
    with pytest.raises(ConfigurationError, match="column address: 2 stands in row 2"):
        made(site)


def test_which_gateway(tmp_path: Path) -> None:
    """With several one must be named; a retired one gets nothing."""
    site = read_site(write_site(tmp_path))
    with pytest.raises(ConfigurationError, match="--gateway: the site has qingxi-01, qingxi-02"):
        site.by_id(None)
    with pytest.raises(ConfigurationError, match='no gateway "qingxi-09"'):
        site.by_id("qingxi-09")


def test_a_retired_gateway_is_revoked(tmp_path: Path) -> None:
    """Its certificate is on the broker's list, its key is gone, the access file no longer knows it."""
    site = write_site(tmp_path)
    made(site, "qingxi-02")
    number = x509.load_pem_x509_certificate((tmp_path / "qingxi.keys/qingxi-02.pem").read_bytes()).serial_number
    change(site, 'id = "qingxi-02"', 'id = "qingxi-02"\nretired = true')
    left = made(site)
    assert left.revoked == ("qingxi-02",)
    revoked = x509.load_pem_x509_crl(left.files["root/etc/mosquitto/gewu/crl.pem"])
    assert revoked.get_revoked_certificate_by_serial_number(number) is not None
    assert b"qingxi-02" not in left.files["root/etc/mosquitto/gewu/acl"]
    assert not (tmp_path / "qingxi.keys/qingxi-02.key").exists()
    assert made(site).revoked == ()
    with pytest.raises(ConfigurationError, match="no gateway"):
        made(site, "qingxi-02")


def test_certificates_are_renewed_in_time(tmp_path: Path) -> None:
    """Not while more than a third of their life is left; then, and when the broker's hosts change, with a new key."""

    def at(days: int) -> Authority:
        return Authority(tmp_path / "keys", "qingxi", NOW + timedelta(days=days))

    first = at(0).client("a")
    server = at(0).server("broker", ["192.168.1.20", "gewu.local"])
    assert at(480).client("a") == first
    assert at(489).client("a") != first
    assert at(1).server("broker", ["gewu.local", "192.168.1.20"]) == server
    assert at(1).server("broker", ["gewu.local"]) != server


def test_half_an_authority_is_not_replaced(tmp_path: Path) -> None:
    """A lost CA key is named: a new one would lock every gateway out."""
    Authority(tmp_path, "qingxi", NOW)
    (tmp_path / "ca.key").unlink()
    with pytest.raises(ConfigurationError, match=r"ca\.key is missing"):
        Authority(tmp_path, "qingxi", NOW)


def test_the_first_use_code(tmp_path: Path) -> None:
    """What people type counts in any case and spacing, in time only; the file holds no code; damage is named."""
    code, content = first_use.make(0, chance)
    assert len(code.replace("-", "")) == 12
    assert code.encode() not in content
    in_time, over = first_use.until(content) - 1, first_use.until(content)
    typed: Callable[[str, int], bool] = lambda text, now: first_use.matches(text, content, now)  # noqa: E731
    assert typed(code, in_time)
    assert typed(code.lower().replace("-", " "), in_time)
    assert not typed(code, over)
    assert not typed(code[:-1], in_time)
    assert not typed("", in_time)
    for damaged in (b"", b"[]", b"{}", content.replace(b"8192", b"2")):
        with pytest.raises(ConfigurationError, match="damaged"):
            first_use.matches(code, damaged, in_time)


def test_toml_is_written_as_it_is_read() -> None:
    """Nested tables, arrays of tables, awkward keys and texts come back as they were."""
    import tomllib

    tables = {
        "a b": 1,
        "t": {"x": [1, 2.5, True], "q": 'say "北"\n\x7f', "rows": [{"n": 1, "in": {"k": []}}, {"n": 2}]},
    }
    assert tomllib.loads(toml(tables)) == tables
