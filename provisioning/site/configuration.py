"""The gewu.toml of one gateway from the site file and the plans of its buses, and the files that it names.

It reads plans and files beside the site file, and writes nothing. What it makes is checked as `gewu check` would.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway import tomlfile
from gateway.config import load
from gateway.errors import ConfigurationError
from gateway.profile.load import locate
from gateway.shipped import PROFILES
from provisioning.plan_file import read_plan
from provisioning.site.model import SiteBus, SiteFile, SiteGateway
from provisioning.site.toml_text import toml

HEAD = "# Made by gewu provision gateway from the site file and the plans: change those, and run it again.\n"
CA, CERT, KEY = "ca.pem", "gateway.pem", "gateway.key"
_FILE_KEYS = ("ca", "cert", "key", "keys", "device_keys", "password_file", "secret_file", "model")


def port_of(bus: SiteBus) -> str:
    """Its path on the gateway: as it stands, or the name that a udev rule gives it."""
    return bus.port if bus.port is not None else f"/dev/gewu/{bus.name}"


def tables(site: SiteFile, gateway: SiteGateway, folder: Path) -> dict[str, Any]:
    """The tables of gewu.toml. ConfigurationError for mistakes in plans, and for a device that two plans have."""
    found: dict[str, Any] = {"gateway": {"id": gateway.id, "site": site.site}, "bus": []}
    for bus in gateway.bus:
        given = {key: getattr(bus, key) for key in ("baud", "parity", "stopbits", "timeout")}
        rows = read_plan(folder / bus.plan).rows
        devices = [
            {
                "id": row.id,
                "profile": _profile(row.profile, bus.plan, folder),
                "address": row.address,
                "place": row.place,
                "critical": row.critical or None,
            }
            for row in rows
        ]
        found["bus"].append({"name": bus.name, "port": port_of(bus), **given, "device": devices})
    uplinks = [uplink for _, uplink in tomlfile.rows(gateway.config, "uplink")]
    if site.broker is not None:
        own = site.broker.on == gateway.id
        # To itself a gateway speaks over loopback: that works with the cable pulled.
        host = "localhost" if own else site.broker.hosts[0]
        host = f"[{host}]" if ":" in host else host
        url = f"mqtts://{host}:{site.broker.port}"
        uplinks.insert(0, {"name": "site", "url": url, "ca": CA, "cert": CERT, "key": KEY})
    rest = {key: value for key, value in gateway.config.items() if key != "uplink"}
    return {key: value for key, value in (found | {"uplink": uplinks or None} | rest).items() if value != []}


def named_files(made: dict[str, Any], folder: Path, given: dict[str, bytes]) -> dict[str, tuple[bytes, bool]]:
    """(content, whether it is a secret) of every file beside the site file that `made` names, by its name there.

    `given` are files of our own making, which are not looked for. ConfigurationError for a file that is not there.
    """
    found: dict[str, tuple[bytes, bool]] = {}
    for key, name in _named(made):
        if name in given or (key == "profile" and _shipped(name, folder)):
            continue
        file = folder / (name if key != "profile" or name.endswith(".toml") else f"{name}.toml")
        if Path(name).is_absolute() or ".." in Path(name).parts or any(character.isspace() for character in name):
            raise ConfigurationError(
                f'{key} = "{name}": put that file beside the site file, under a name without spaces.'
            )
        for part in [file, *([file.with_suffix(".sig")] if key == "model" else [])]:
            content = _content(part)
            secret = key in ("key", "device_keys") or key.endswith("_file") or b"PRIVATE KEY-----" in content
            found[part.relative_to(folder).as_posix()] = (content, secret)
    return found


def _profile(name: str, plan: Path, folder: Path) -> str:
    """A profile that lies beside its plan, as seen from the site file."""
    if _shipped(name, folder / plan.parent):
        return name
    return (plan.parent / name).as_posix()


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The file {file} cannot be read: {error.strerror}; the site file names it.") from None


def checked(made: dict[str, Any], files: dict[str, bytes], work: Path) -> bytes:
    """gewu.toml's content, once it and `files` beside it pass `gewu check` in the empty folder `work`."""
    content = (HEAD + toml(made)).encode()
    for name, data in files.items():
        place = work / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    (work / "gewu.toml").write_bytes(content)
    try:
        load(work / "gewu.toml")
    except ConfigurationError as error:
        raise ConfigurationError(str(error).replace(f"{work}/", "")) from None
    return content


def _shipped(name: str, folder: Path) -> bool:
    found = locate(name, folder)
    return found is not None and found.parent == PROFILES


def _named(value: Any) -> Iterator[tuple[str, str]]:
    """Every file that a table names, with its key."""
    for key, one in value.items() if isinstance(value, dict) else []:
        for part in one if isinstance(one, list) else [one]:
            if isinstance(part, dict):
                yield from _named(part)
            elif isinstance(part, str) and (key in _FILE_KEYS or key == "profile"):
                yield key, part
