"""What must hold between the keys of `gewu.toml`. Raw tables in, sentences out; it looks for named files.

It works on the raw tables and not on the model, so that one wrong key does not hide the next mistake.
"""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import ConfigurationError
from gateway.profile import load as load_profile
from gateway.tomlfile import rows

Row = dict[str, Any]
_TLS = ("ca", "cert", "key")
_FILES = (*_TLS, "password_file")
_OF_WEBHOOK, _OF_FILES = ("url", "secret_file", "ca", "timeout", "tries"), ("folder", "keep_days")
# type of a sink: the key that it needs, and those that are others'
_KEYS_OF = {"webhook": ("url", _OF_FILES), "csv": ("folder", _OF_WEBHOOK), "jsonl": ("folder", _OF_WEBHOOK)}
COMMAND_FILES = ("keys", "device_keys")


def sentences(raw: Row, folder: Path) -> list[str]:
    """Everything wrong between the keys; relative files are those in `folder`, where the configuration lies."""
    found = [*_buses(raw), *_devices(raw, folder)]
    for section in ("camera", "patrol", "uplink"):
        found += _doubles(section, rows(raw, section), "id" if section == "camera" else "name")
    for index, uplink in rows(raw, "uplink"):
        found += _uplink(f"uplink[{index}]", uplink, folder)
        found += _filter(f"uplink[{index}].filter", uplink.get("filter"), raw)
    found += _sinks(raw, folder)
    found += _commands(raw.get("commands"), folder)
    found += _backup(raw.get("backup"), folder)
    found += _cameras(raw, folder)
    return found


def _commands(table: object, folder: Path) -> Iterator[str]:
    if not isinstance(table, dict):
        return
    for key in COMMAND_FILES:
        name = table.get(key)
        if isinstance(name, str) and not (folder / name).is_file():
            yield f'commands.{key} is "{name}", but there is no file {folder / name}.'


def _backup(table: object, folder: Path) -> Iterator[str]:
    if not isinstance(table, dict):
        return
    for key in ("ca", "password_file"):
        name = table.get(key)
        if isinstance(name, str) and not (folder / name).is_file():
            yield f'backup.{key} is "{name}", but there is no file {folder / name}.'
    if "password_file" in table and "username" not in table:
        yield "backup.password_file needs backup.username beside it."


def _doubles(section: str, tables: list[tuple[int, Row]], key: str) -> Iterator[str]:
    seen: dict[object, int] = {}
    for index, row in tables:
        value = row.get(key)
        if not isinstance(value, str):
            continue
        if value in seen:
            yield f'{section}[{index}].{key} is "{value}", which {section}[{seen[value]}] has too; each needs its own.'
        seen.setdefault(value, index)


def _buses(raw: Row) -> Iterator[str]:
    buses = rows(raw, "bus")
    yield from _doubles("bus", buses, "name")
    seen: dict[str, int] = {}
    for index, bus in buses:
        port = bus.get("port")
        if not isinstance(port, str) or "\0" in port:
            continue
        real = port if "://" in port else str(Path(port).resolve())
        if real in seen:
            yield (
                f'bus[{index}].port is "{port}", the same port as that of bus[{seen[real]}]; '
                "put all devices of one line under one [[bus]]."
            )
        seen.setdefault(real, index)


def _devices(raw: Row, folder: Path) -> Iterator[str]:
    ids: dict[str, str] = {}
    for bus_index, bus in rows(raw, "bus"):
        addresses: dict[int, str] = {}
        for index, device in rows(bus, "device"):
            where = f"bus[{bus_index}].device[{index}]"
            name, address = device.get("id"), device.get("address")
            if isinstance(name, str):
                if name in ids:
                    yield f'{where}.id is "{name}", which {ids[name]} already has; each device needs its own.'
                ids.setdefault(name, where)
            if isinstance(address, int):
                if address in addresses:
                    yield (
                        f"{where}.address is {address}, which {addresses[address]} already has; "
                        "two devices on one bus need different addresses."
                    )
                addresses.setdefault(address, where)
            if isinstance(device.get("profile"), str) and device["profile"]:
                yield from _profile(where, device["profile"], folder)


def _cameras(raw: Row, folder: Path) -> Iterator[str]:
    devices = {device.get("id") for _, bus in rows(raw, "bus") for _, device in rows(bus, "device")}
    for index, camera in rows(raw, "camera"):
        where = f"camera[{index}]"
        if isinstance(camera.get("id"), str) and camera["id"] in devices:
            yield f'{where}.id is "{camera["id"]}", which a device on a bus has too; events name one by its id.'
        yield from _doubles(f"{where}.zone", rows(camera, "zone"), "name")
        named = [(where, "password_file", camera)]
        named += [(f"{where}.detector[{n}]", "model", detector) for n, detector in rows(camera, "detector")]
        for place, key, table in named:
            name = table.get(key)
            if isinstance(name, str) and not (folder / name).is_file():
                yield f'{place}.{key} is "{name}", but there is no file {folder / name}.'


def _profile(where: str, name: str, folder: Path) -> Iterator[str]:
    try:
        load_profile(name, folder)
    except ConfigurationError as error:
        for line in str(error).splitlines():
            yield f'{where}.profile is "{name}", but: {line}'


def _uplink(where: str, uplink: Row, folder: Path) -> Iterator[str]:
    for key in _FILES:
        name = uplink.get(key)
        if isinstance(name, str) and not (folder / name).is_file():
            yield f'{where}.{key} is "{name}", but there is no file {folder / name}.'
    url = uplink.get("url")
    scheme = urlsplit(url).scheme if isinstance(url, str) and "[" not in url else ""
    if scheme in ("mqtt", "ws"):
        for key in (key for key in _TLS if key in uplink):
            yield f"{where}.{key} has no use with {scheme}://, which is not encrypted; use {scheme}s:// or drop it."
    for one, other in (("cert", "key"), ("key", "cert"), ("password_file", "username")):
        if one in uplink and other not in uplink:
            yield f"{where}.{one} needs {where}.{other} beside it."
    yield from _format(where, uplink)
    fallback = uplink.get("fallback")
    if isinstance(fallback, dict) and not ({"url", "source"} & fallback.keys()):
        yield f"{where}.fallback needs {where}.fallback.url or {where}.fallback.source; else it is the first way again."


def _sinks(raw: Row, folder: Path) -> Iterator[str]:
    sinks = rows(raw, "sink")
    yield from _doubles("sink", sinks, "name")
    taken = {uplink.get("name"): f"uplink[{index}]" for index, uplink in rows(raw, "uplink")}
    folders: dict[Path, str] = {}
    for index, sink in sinks:
        where, name = f"sink[{index}]", sink.get("name")
        if isinstance(name, str) and name in taken:
            yield f'{where}.name is "{name}", which {taken[name]} has too; each needs its own.'
        yield from _filter(f"{where}.filter", sink.get("filter"), raw)
        if sink.get("type") in _KEYS_OF:
            yield from _sink(where, sink, folder, folders)


def _sink(where: str, sink: Row, folder: Path, folders: dict[Path, str]) -> Iterator[str]:
    """The keys of its type, files that are there, and a folder that no other sink of this type writes to."""
    kind = sink["type"]
    needed, others = _KEYS_OF[kind]
    if needed not in sink:
        yield f'{where} has type = "{kind}" and needs {where}.{needed}.'
    for key in others:
        if key in sink:
            yield f'{where}.{key} has no meaning with type = "{kind}"; drop it.'
    for key in ("secret_file", "ca"):
        file = sink.get(key)
        if isinstance(file, str) and not (folder / file).is_file():
            yield f'{where}.{key} is "{file}", but there is no file {folder / file}.'
    if "ca" in sink and str(sink.get("url", "")).startswith("http://"):
        yield f"{where}.ca has no use with http://, which is not encrypted; use https:// or drop it."
    own = sink.get("folder")
    if isinstance(own, str):
        place = (folder / own).resolve() / kind
        if place in folders:
            yield f'{where}.folder is "{own}", to which {folders[place]} writes the same files; each needs its own.'
        folders.setdefault(place, where)


def _format(where: str, uplink: Row) -> Iterator[str]:
    """What only the native format, or only Sparkplug, has."""
    name = uplink.get("format", "gewu")
    if name != "gewu" and uplink.get("acks") is True:
        yield f'{where}.acks is true, but nobody acknowledges the format "{name}": drop it, or use format = "gewu".'
    if name != "gewu" and uplink.get("encoding") == "compact":
        yield f'{where}.encoding is "compact", which only the format "gewu" has; drop it.'
    if name != "sparkplug" and "primary_host" in uplink:
        yield f'{where}.primary_host has a meaning with format = "sparkplug" only; drop it.'


def _filter(where: str, chosen: object, raw: Row) -> Iterator[str]:
    """A device that is not there would let nothing through, silently."""
    wanted = chosen.get("devices") if isinstance(chosen, dict) else None
    known = [row.get("id") for _, bus in rows(raw, "bus") for _, row in rows(bus, "device")]
    ids = [name for name in known if isinstance(name, str)]
    for index, name in enumerate(wanted if isinstance(wanted, list) else []):
        if isinstance(name, str) and name not in ids:
            near = difflib.get_close_matches(name, ids, n=1, cutoff=0.0)
            hint = f'the nearest is "{near[0]}"' if near else "there are no devices in this configuration"
            yield f'{where}.devices[{index}] is "{name}", which is no device of this configuration; {hint}.'
