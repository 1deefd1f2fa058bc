"""What must hold between the keys of `gewu.toml`. Raw tables in, sentences out; it looks for named files.

It works on the raw tables and not on the model, so that one wrong key does not hide the next mistake.
"""

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


def sentences(raw: Row, folder: Path) -> list[str]:
    """Everything wrong between the keys; relative files are those in `folder`, where the configuration lies."""
    found = [*_buses(raw), *_devices(raw, folder)]
    for section in ("camera", "patrol", "uplink"):
        found += _doubles(section, rows(raw, section), "id" if section == "camera" else "name")
    for index, uplink in rows(raw, "uplink"):
        found += _uplink(f"uplink[{index}]", uplink, folder)
    found += _cameras(raw, folder)
    return found


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
