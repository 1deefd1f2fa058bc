"""`gewu.toml`: what is accepted, and the sentence for each mistake."""

import json
import re
from pathlib import Path

import pytest

from gateway.config import Config, load, notices
from gateway.config.quantity import parse_duration, parse_size
from gateway.errors import ConfigurationError

HEAD = '[gateway]\nid = "qingxi-01"\nsite = "qingxi"\n'
FULL = """
[gateway]
id = "qingxi-01"
site = "qingxi"
data_dir = "data"

[[bus]]
name = "north"
port = "/dev/serial/by-id/usb-1"
baud = 9600
parity = "N"
stopbits = 1
protocol = "modbus"

[[bus.device]]
id = "b0101"
profile = "gewu-breaker"
address = 1
place = "street/community/grid/estate/building/unit"
critical = true

[[bus.device]]
id = "m1"
profile = "meter.toml"
address = 2

[[bus]]
port = "socket://192.168.1.20:4001"

[[camera]]
id = "gate"
source = "rtsp://10.0.0.5/1"
place = "gate"
interval = 2.0
purpose = "public safety: fire lane"
owner = "Qingxi village committee"
sign = "2026-05-01 photo 12"

[[patrol]]
name = "evening"
stops = ["gate"]
dwell = 5.0

[[uplink]]
name = "county"
url = "mqtts://broker:8883"
format = "gewu"
encoding = "json"
max_delay = 2.0
acks = false
ca = "ca.pem"
username = "qingxi"
password_file = "secret"

[[sink]]
type = "webhook"
url = "https://office.example/gewu"
secret_file = "secret"

[[sink]]
name = "archive"
type = "csv"
folder = "archive"

[store]
max_bytes = "2GB"
replay_window = "1h"
"""
METER = '[profile]\nname = "meter"\n[[register]]\nname = "level"\nkind = "input"\naddress = 0\ntype = "u16"\n'
BUS = '[[bus]]\nport = "/dev/a"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"ca.pem": "x", "secret": "x", "meter.toml": METER}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def errors(folder: Path, text: str) -> list[str]:
    path = folder / "gewu.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        load(path)
    assert refused.value.exit_status == 2
    lines = str(refused.value).splitlines()
    assert all(line.startswith(f"{path}") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


def test_everything_the_contract_shows_is_accepted(folder: Path) -> None:
    """Files are those beside the configuration, devices know their profile, sizes and durations are numbers."""
    (folder / "gewu.toml").write_text(FULL)
    config = load(folder / "gewu.toml")
    assert config.gateway.data_dir == folder / "data"
    assert [bus.name for bus in config.bus] == ["north", "bus2"]
    assert [device.definition.name for device in config.bus[0].device] == ["gewu-breaker", "meter"]
    assert config.bus[0].device[0].critical
    assert (config.store.max_bytes, config.store.replay_window) == (2_000_000_000, 3600)
    assert [sink.name for sink in config.sink] == ["sink1", "archive"]
    assert (config.sink[0].secret_file, config.sink[1].folder) == (folder / "secret", folder / "archive")
    assert (config.uplink[0].ca, config.uplink[0].password_file) == (folder / "ca.pem", folder / "secret")


def test_only_the_gateway_is_needed(folder: Path) -> None:
    """Everything else has a default or may be absent."""
    (folder / "gewu.toml").write_text(HEAD)
    config = load(folder / "gewu.toml")
    assert (config.bus, config.uplink, config.camera, config.patrol) == ([], [], [], [])
    assert config.gateway.data_dir == Path("/var/lib/gewu")
    assert config.store.max_bytes == 2 * 10**9


def test_what_is_not_served_is_said_and_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bus with nothing on it; cameras, where what they need is not installed."""
    (folder / "gewu.toml").write_text(FULL)
    monkeypatch.setattr("gateway.camera_extra.missing", list)
    found = notices(load(folder / "gewu.toml"))
    assert [sentence.split('"')[1] for sentence in found] == ["bus2"]
    monkeypatch.setattr("gateway.camera_extra.missing", lambda: ["av", "pillow"])
    assert "Cameras need av, pillow" in notices(load(folder / "gewu.toml"))[0]


CAMERA = '[[camera]]\nid = "gate"\nsource = "rtsp://10.0.0.2/1"\npurpose = "p"\nowner = "o"\nsign = "s"\n'


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ("blur = false", "blur = false needs unblurred_purpose"),
        ('hours = ["7-9"]', 'a span of the day is written like "07:00-22:30"'),
        ('username = "u"', "username and password_file go together"),
        ('username = "u"\npassword_file = "none"', "there is no file"),
        ('password = "p"', "write it alone into a file"),
        ("mask = [[[0, 0], [1, 2], [0, 1]]]", "at most 1"),
        ('[[camera.detector]]\nmodel = "gewu.toml"\nlabel = "x"\nname = "y"\nzone = "z"', 'names the zone "z"'),
    ],
)
def test_a_camera_that_may_not_run_so(folder: Path, keys: str, sentence: str) -> None:
    """Each mistake is one sentence."""
    (folder / "gewu.toml").write_text(HEAD + CAMERA + keys)
    with pytest.raises(ConfigurationError, match=re.escape(sentence)):
        load(folder / "gewu.toml")


@pytest.mark.parametrize("source", ["rtsp://u:p@h/x", "ftp://h/x", "rtsp://", "gate"])
def test_a_source_that_is_none(folder: Path, source: str) -> None:
    """No secrets in it, and a kind that is known."""
    (folder / "gewu.toml").write_text(HEAD + CAMERA.replace("rtsp://10.0.0.2/1", source))
    with pytest.raises(ConfigurationError, match=r"camera\[0\]\.source"):
        load(folder / "gewu.toml")


def test_a_stop_without_its_camera_is_a_notice(folder: Path) -> None:
    """A tour may be planned before all its cameras hang."""
    (folder / "gewu.toml").write_text(HEAD + '[[patrol]]\nname = "e"\nstops = ["market"]')
    assert any('"market", which is no camera' in sentence for sentence in notices(load(folder / "gewu.toml")))


def test_names_may_be_those_that_people_use(folder: Path) -> None:
    """Only the gateway's id is bound to small letters; a mark that Windows editors put in front is no error."""
    text = (
        '[gateway]\nid = "-01"\nsite = "清溪"\n[[bus]]\nname = "North_1"\nport = "/dev/a"\n[[bus.device]]\n'
        'id = "B_01.x"\nprofile = "gewu-breaker"\naddress = 1\n[[uplink]]\nname = "County.A"\nurl = "mqtt://a"\n'
    )
    (folder / "gewu.toml").write_text(text, encoding="utf-8-sig")
    config = load(folder / "gewu.toml")
    assert (config.gateway.site, config.bus[0].name, config.bus[0].device[0].id) == ("清溪", "North_1", "B_01.x")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (HEAD.replace('site = "qingxi"', 'site = "a/b"'), 'gateway.site is "a/b", but it must be the site, in letters, '
         'digits, "_", "." and "-", such as "qingxi".'),
        ("", "gateway is missing; it is the table [gateway] with id and site."),
        ('[gateway]\nid = "x"', 'gateway.site is missing; it is the site, in letters, digits, "_", "." and '
         '"-", such as "qingxi".'),
        (HEAD.replace("qingxi-01", "Qingxi_1"), 'gateway.id is "Qingxi_1", but it must be lower-case letters, digits '
         'and hyphens, unique in the site, such as "qingxi-01".'),
        (HEAD + 'nmae = "x"', 'gateway.nmae is not a known key; the nearest known key is "site".'),
        (HEAD + "[stroe]", 'stroe is not a known key; the nearest known key is "store".'),
        (HEAD + BUS + "buad = 9600", 'bus[0].buad is not a known key; the nearest known key is "baud".'),
        (HEAD + BUS + 'baud = "9600"', 'bus[0].baud is "9600", but it must be a whole number: the speed in '
         'bit/s, such '
         "as 9600."),
        (HEAD + BUS + "baud = 9601", "bus[0].baud is 9601, but serial devices do not use such a speed; the "
         "nearest usual "
         "one is 9600."),
        (HEAD + BUS + 'parity = "X"', 'bus[0].parity is "X", but it must be "N", "E" or "O".'),
        (HEAD + BUS + "stopbits = 3", "bus[0].stopbits is 3, but it must be 1 or 2."),
        (HEAD + '[[bus]]\nport = "COM3"', 'bus[0].port is "COM3", but a serial port is a path such as '
         '"/dev/serial/by-id/usb-...", or socket://host:port.'),
        (HEAD + '[[bus]]\nport = "udp://a:502"', 'bus[0].port is "udp://a:502", but a port is a device\'s path, or '
         "tcp://, socket:// or rfc2217://host:port."),
        (HEAD + '[[bus]]\nport = "tcp://a"', 'bus[0].port is "tcp://a", but it needs a host and a port of 1 to '
         '65535, such as "tcp://192.168.1.20:4001".'),
        (HEAD + '[[bus]]\nport = "socket://a"', 'bus[0].port is "socket://a", but it needs a host and a port of 1 to '
         '65535, such as "socket://192.168.1.20:4001".'),
        (HEAD + BUS + BUS, 'bus[1].port is "/dev/a", the same port as that of bus[0]; put all devices of one '
         'line under '
         "one [[bus]]."),
        (HEAD + '[[uplink]]\nurl = "http://x"', 'uplink[0].url is "http://x", but an uplink begins with mqtt://, '
         'mqtts://, ws:// or wss://, such as "mqtts://broker:8883".'),
        (HEAD + '[[uplink]]\nurl = "mqtt://u:p@x"', 'uplink[0].url is "mqtt://u:p@x", but a user or password '
         'does not '
         "belong in the URL; use username and password_file."),
        (HEAD + '[[uplink]]\nurl = "mqtt://x"\npassword = "p"', "uplink[0].password is not a known key: secrets "
         "do not "
         "belong in this file; write it alone into a file and name that file with password_file."),
        (HEAD + '[[uplink]]\nurl = "mqtt://x"\n[uplink.filter]\ndevices = ["b0"]', 'uplink[0].filter.devices[0] is '
         '"b0", which is no device of this configuration; there are no devices in this configuration.'),
        (HEAD + '[[uplink]]\nurl = "mqtt://x"\n[uplink.backoff]\nlate = 200', 'uplink[0].backoff.late is 200, but it '
         "must be at most 120.0."),
        (HEAD + '[[uplink]]\nurl = "mqtt://x"\n[uplink.fallback]', "uplink[0].fallback needs uplink[0].fallback.url or "
         "uplink[0].fallback.source; else it is the first way again."),
        (HEAD + '[[uplink]]\nurl = "mqtt://x"\nformat = "homekit"', 'uplink[0].format is "homekit", but it must be '
         '"gewu", "sparkplug", "thingsboard" or "homeassistant".'),
        (HEAD + '[[uplink]]\nurl = "mqtt://x"\nformat = "sparkplug"\nacks = true', 'uplink[0].acks is true, but nobody '
         'acknowledges the format "sparkplug": drop it, or use format = "gewu".'),
        (HEAD + '[[uplink]]\nurl = "mqtt://x"\nformat = "thingsboard"\nencoding = "compact"', 'uplink[0].encoding is '
         '"compact", which only the format "gewu" has; drop it.'),
        (HEAD + '[[uplink]]\nurl = "mqtt://x"\nprimary_host = "scada"', "uplink[0].primary_host has a meaning with "
         'format = "sparkplug" only; drop it.'),
        (HEAD + '[[uplink]]\nurl = "mqtt://x"\nca = "ca.pem"', "uplink[0].ca has no use with mqtt://, which is not "
         "encrypted; use mqtts:// or drop it."),
        (HEAD + '[[uplink]]\nurl = "mqtts://x"\ncert = "ca.pem"', "uplink[0].cert needs uplink[0].key beside it."),
        (HEAD + '[[sink]]\ntype = "webhook"', 'sink[0] has type = "webhook" and needs sink[0].url.'),
        (HEAD + '[[sink]]\ntype = "csv"\nfolder = "f"\ntries = 3', 'sink[0].tries has no meaning with type = "csv"; '
         "drop it."),
        (HEAD + '[[sink]]\ntype = "webhook"\nurl = "ftp://h"', 'sink[0].url is "ftp://h", but a webhook begins with '
         'http:// or https:// and a host, such as "https://host/records".'),
        (HEAD + '[[sink]]\ntype = "webhook"\nurl = "http://h"\nca = "ca.pem"', "sink[0].ca has no use with http://, "
         "which is not encrypted; use https:// or drop it."),
        (HEAD + '[[sink]]\ntype = "csv"\nfolder = "f"\n[[sink]]\ntype = "csv"\nfolder = "./f"', 'sink[1].folder is '
         '"./f", to which sink[0] writes the same files; each needs its own.'),
        (HEAD + '[[uplink]]\nname = "a"\nurl = "mqtt://h"\n[[sink]]\nname = "a"\ntype = "jsonl"\nfolder = "f"',
         'sink[0].name is "a", which uplink[0] has too; each needs its own.'),
        (HEAD + '[store]\nmax_bytes = "2 gigs"', 'store.max_bytes is "2 gigs", but a size is a number with a '
         'unit, such '
         'as "500MB", "2GB" or "1GiB".'),
        (HEAD + '[store]\nreplay_window = "soon"', 'store.replay_window is "soon", but a duration is a number with a '
         'unit, such as "30s", "15min", "1h" or "7d".'),
    ],
)  # fmt: skip
def test_one_mistake_is_one_sentence(folder: Path, text: str, sentence: str) -> None:
    """It names the key, what is wrong and what would be right."""
    assert errors(folder, text) == [sentence]


def device(name: str, address: object, profile: str = "gewu-breaker") -> str:
    return f'[[bus.device]]\nid = "{name}"\nprofile = "{profile}"\naddress = {address}\n'


def test_devices_are_told_apart(folder: Path) -> None:
    """Doubled ids anywhere, doubled addresses on one bus, impossible addresses and unknown profiles, all at once."""
    other = BUS.replace("/dev/a", "/dev/b")
    text = HEAD + BUS + device("b1", 3) + device("b2", 3) + device("b3", 300) + other + device("b1", 3, "gewu-braker")
    found = errors(folder, text)
    assert found[0] == "bus[0].device[2].address is 300, but it must be at most 247."
    assert found[1].startswith("bus[0].device[1].address is 3, which bus[0].device[0] already has;")
    assert found[2].startswith('bus[1].device[0].id is "b1", which bus[0].device[0] already has;')
    assert found[3].startswith('bus[1].device[0].profile is "gewu-braker", but: There is no profile')
    assert found[3].endswith('did you mean "gewu-breaker"?')
    assert len(found) == 4


def test_a_wrong_profile_is_told_with_its_own_file_and_key(folder: Path) -> None:
    """The sentence leads from the device to the profile's file and the key in it."""
    (folder / "meter.toml").write_text(METER.replace('"u16"', '"u17"'))
    (found,) = errors(folder, HEAD + BUS + device("m1", 1, "meter"))
    assert found.startswith(
        f'bus[0].device[0].profile is "meter", but: {folder / "meter.toml"}: register[0].type is "u17"'
    )


def test_a_missing_file_is_named(folder: Path) -> None:
    """A certificate that is not there is found before anything runs."""
    (found,) = errors(folder, HEAD + '[[uplink]]\nurl = "mqtts://x"\nca = "no.pem"')
    assert found == f'uplink[0].ca is "no.pem", but there is no file {folder / "no.pem"}.'


def test_wrong_toml_names_the_line(folder: Path) -> None:
    """A syntax error comes with its line; so do a missing file and one that is no text."""
    (found,) = errors(folder, "[gateway]\nid = qingxi\n")
    assert found.startswith(f"{folder / 'gewu.toml'} is not valid TOML")
    assert "line 2" in found
    (folder / "gewu.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="is not UTF-8 text"):
        load(folder / "gewu.toml")
    with pytest.raises(ConfigurationError, match="There is no configuration file"):
        load(folder / "none.toml")


@pytest.mark.parametrize("junk", ["gateway = 5", "[[gateway]]", "bus = 1\n" + HEAD, "[[bus]]\ndevice = [1]\n" + HEAD])
def test_tables_of_the_wrong_shape_are_refused_calmly(folder: Path, junk: str) -> None:
    """Whatever stands where a table should be is a sentence, and never a crash."""
    assert errors(folder, junk)


@pytest.mark.parametrize(
    ("text", "number"), [("2GB", 2e9), ("500 MB", 5e8), ("1GiB", 2**30), ("1.5kB", 1500), ("77", 77)]
)
def test_sizes(text: str, number: float) -> None:
    """Decimal and binary units, with and without a space."""
    assert parse_size(text) == number


@pytest.mark.parametrize(
    ("text", "seconds"), [("1h", 3600), ("90s", 90), ("15min", 900), ("1.5d", 129600), ("250ms", 0.25)]
)
def test_durations(text: str, seconds: float) -> None:
    """From milliseconds to days."""
    assert parse_duration(text) == seconds


def test_the_schema_is_json_and_knows_every_key() -> None:
    """What `gewu schema config` prints names the tables and the defaults."""
    schema = json.loads(json.dumps(Config.model_json_schema()))
    tables = {"gateway", "bus", "camera", "patrol", "uplink", "store", "commands", "metrics", "vision"}
    assert tables <= set(schema["properties"])
    assert schema["$defs"]["Bus"]["properties"]["baud"]["default"] == 9600
