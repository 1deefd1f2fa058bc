"""From the site file to one gateway's parcel: this wires model, authority, broker, configuration and system files.

Secrets live in a folder beside the site file, `SITE.keys`, and go into the parcel; none of them is printed.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway import first_use
from gateway.clock import Clock
from gateway.errors import ConfigurationError
from gateway.wholefile import write_whole
from provisioning.site import broker as mosquitto
from provisioning.site.authority import Authority
from provisioning.site.configuration import CA, CERT, KEY, checked, named_files, tables
from provisioning.site.model import SiteFile, SiteGateway, read_site
from provisioning.site.parcel import SCRIPT, Placed, folder_files
from provisioning.site.system_files import system_files

_SYSTEM = Path(__file__).resolve().parents[1] / "system"
_FOLDER = "/etc/gewu"
_GEWU, _MOSQUITTO = "gewu:gewu", "mosquitto:mosquitto"
_README = """Gateway {id} of site {site}. This folder holds private keys: keep it, and the card it is on, to yourself.
On the Raspberry Pi: sudo sh install.sh --list says what would change, sudo sh install.sh does it. Then delete it there.
网关 {id}（{site}）。本目录含私钥，请妥善保管；在树莓派上运行 sudo sh install.sh，完成后删除。
"""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One gateway's files by their names in the folder. `code` only where a new first-use code was made."""

    gateway: str
    files: dict[str, bytes]
    code: str | None
    revoked: tuple[str, ...]


def parcel(
    path: Path,
    name: str | None,
    clock: Clock,
    chance: Callable[[int], bytes],
    renew: bool = False,
    new_code: bool = False,
) -> Parcel:
    """The parcel of gateway `name` of the site file `path`.

    `renew`: new certificates also where the old ones last; `new_code`: a new first-use code. Raises ConfigurationError.
    """
    site = read_site(path)
    gateway = site.by_id(name)
    keys = path.with_suffix(".keys")
    now = datetime.fromtimestamp(clock.wall_ms() / 1000, tz=UTC)
    authority = Authority(keys, site.site, now)
    revoked = tuple(one.id for one in site.gateway if one.retired and authority.revoke(one.id))
    code, record = _first_use(keys / f"{gateway.id}.{first_use.FILE}", clock, chance, new_code)
    placed = [*_gateway(site, gateway, authority, path.resolve().parent, renew)]
    placed.append(Placed(f"{_FOLDER}/{first_use.FILE}", record, 0o600, _GEWU))
    makers = "".join(f"{maker}\n" for maker in gateway.makers)
    placed.append(Placed(f"{_FOLDER}/makers", makers.encode()))
    here = site.broker is not None and site.broker.on == gateway.id
    if here:
        placed += _broker(site, authority, renew)
    placed += system_files(gateway, here)
    return Parcel(gateway.id, folder_files(placed, _extra(site, gateway)), code, revoked)


def _extra(site: SiteFile, gateway: SiteGateway) -> dict[str, bytes]:
    extra = {name: (_SYSTEM / name).read_bytes() for name in (SCRIPT, "gewu-root")}
    extra["README.txt"] = _README.format(id=gateway.id, site=site.site).encode()
    if gateway.timezone is not None:
        extra["timezone"] = gateway.timezone.encode() + b"\n"
    if gateway.root == "read-only":
        extra["read-only"] = b"see gewu-root\n"
    return extra


def _gateway(site: SiteFile, gateway: SiteGateway, authority: Authority, folder: Path, renew: bool) -> list[Placed]:
    """gewu.toml, what it names, and the certificate for the site's broker."""
    made = tables(site, gateway, folder)
    own: dict[str, bytes] = {}
    if site.broker is not None:
        cert, key = authority.client(gateway.id, renew)
        own = {CA: authority.ca, CERT: cert, KEY: key}
    named = named_files(made, folder, own)
    if clash := sorted(set(named) & set(own)):
        raise ConfigurationError(f"{clash[0]} is the name of a file of the site's own authority; call yours otherwise.")
    with tempfile.TemporaryDirectory() as work:
        content = checked(made, own | {name: data for name, (data, _) in named.items()}, Path(work))
    placed = [Placed(f"{_FOLDER}/gewu.toml", content, 0o640, "root:gewu")]
    secrets = {name for name, (_, secret) in named.items() if secret} | ({KEY} if own else set())
    for name, data in (own | {name: data for name, (data, _) in named.items()}).items():
        hidden = name in secrets
        placed.append(Placed(f"{_FOLDER}/{name}", data, 0o600 if hidden else 0o644, _GEWU if hidden else "root:root"))
    return placed


def _broker(site: SiteFile, authority: Authority, renew: bool) -> list[Placed]:
    assert site.broker is not None
    for client in site.broker.client:  # for their own machines: they stay in the folder of keys
        authority.client(client.name, renew)
    hosts = dict.fromkeys([*site.broker.hosts, "localhost"])
    cert, key = authority.server(mosquitto.SERVER_NAME, list(hosts), renew)
    files = [
        ("ca.pem", authority.ca, False),
        ("crl.pem", authority.revoked, False),
        (f"{mosquitto.SERVER_NAME}.pem", cert, False),
        (f"{mosquitto.SERVER_NAME}.key", key, True),
        ("acl", mosquitto.access(site).encode(), True),
    ]
    configuration = mosquitto.configuration(site.broker.port).encode()
    return [
        Placed("/etc/mosquitto/conf.d/gewu.conf", configuration),
        *(
            Placed(f"{mosquitto.FOLDER}/{name}", data, 0o600 if own else 0o644, _MOSQUITTO if own else "root:root")
            for name, data, own in files
        ),
    ]


def _first_use(file: Path, clock: Clock, chance: Callable[[int], bytes], new: bool) -> tuple[str | None, bytes]:
    """(a code where one was made now, the file's content): a code is shown once, and never again."""
    if file.is_file() and not new:
        content = file.read_bytes()
        first_use.until(content)
        return None, content
    code, content = first_use.make(clock.wall_ms(), chance)
    write_whole(file, content, 0o600)
    return code, content
