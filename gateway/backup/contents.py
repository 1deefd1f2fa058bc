"""What belongs to a gateway beside its outbox: the configuration and every file that it names.

A private key, a password and the devices' keys are secrets, which are taken along only when asked for.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from gateway.backup.manifest import Sort
from gateway.config import Config
from gateway.profile.load import locate
from gateway.shipped import PROFILES

CONFIGURATION = "gewu.toml"
_PRIVATE = b"PRIVATE KEY-----"
_MODELS = "models"


class Item(NamedTuple):
    """A file to take along: where it is, what it is called inside, and its absolute path if it lies elsewhere."""

    file: Path
    name: str
    sort: Sort
    place: str | None = None


def items(config: Config, file: Path) -> list[Item]:
    """The configuration `file`, what it names, and the models of the data folder; each file once. Raises OSError."""
    folder = file.resolve().parent
    found = {file.resolve(): Item(file, f"config/{CONFIGURATION}", "configuration")}
    for key, path in _named(config):
        real = path.resolve()
        if real not in found and real.is_file():
            found[real] = _item(real, folder, _sort(key, real))
    for device in (device for bus in config.bus for device in bus.device):
        profile = locate(device.profile, folder)
        if profile is not None and profile.parent != PROFILES:
            found.setdefault(profile.resolve(), _item(profile.resolve(), folder, "configuration"))
    models = config.gateway.data_dir / _MODELS
    for model in sorted(models.rglob("*")) if models.is_dir() else []:
        if model.is_file():
            name = f"data/{_MODELS}/{model.relative_to(models).as_posix()}"
            found.setdefault(model.resolve(), Item(model, name, "model"))
    return list(found.values())


def _named(model: BaseModel) -> Iterator[tuple[str, Path]]:
    """Every path in the configuration, with its key, whatever the table."""
    for key, value in model:
        for one in value if isinstance(value, list | tuple) else [value]:
            yield from _paths(key, one)


def _paths(key: str, value: Any) -> Iterator[tuple[str, Path]]:
    if isinstance(value, BaseModel):
        yield from _named(value)
    elif isinstance(value, Path) and key != "data_dir":
        yield key, value


def _sort(key: str, file: Path) -> Sort:
    if key in ("key", "device_keys") or key.endswith("_file") or _PRIVATE in file.read_bytes():
        return "secret"
    return "certificate" if key in ("ca", "cert") else "configuration"


def _item(file: Path, folder: Path, sort: Sort) -> Item:
    if file.is_relative_to(folder):
        return Item(file, f"config/{file.relative_to(folder).as_posix()}", sort)
    return Item(file, f"elsewhere/{file.as_posix().lstrip('/')}", sort, str(file))
