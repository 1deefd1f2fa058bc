"""Restoring a backup elsewhere: verified before anything is put in place, never over a store that is there.

The configuration goes to one folder, the outbox to the data folder that the configuration names (or another).
What was in place already stays as it is.
"""

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec

from gateway import tomlfile
from gateway.backup import archive
from gateway.backup.contents import CONFIGURATION
from gateway.backup.manifest import Manifest
from gateway.errors import ConfigurationError, GewuError
from gateway.wholefile import move_whole

_STORE = "outbox.db"


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What is where now, and what is left to do, a sentence each. The JSON of `gewu restore`."""

    gateway: str
    made: str
    config: str
    data_dir: str
    epoch: str | None
    files: int
    next: list[str]


def restore(file: Path, into: Path, data_dir: Path | None, renew: Callable[[Path], str]) -> Restored:
    """Restore the backup `file` into the folder `into`, its data into `data_dir` or where its configuration says.

    `renew` gives the outbox in a folder its new epoch. Raises GewuError with nothing changed when the backup is
    damaged or something is in the way.
    """
    if not file.is_file():
        raise ConfigurationError(f"There is no backup {file}.")
    _free(into / CONFIGURATION, "another --into")
    try:
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".restoring-", dir=into) as name:
            work = Path(name)
            head = archive.unpack(file, work)
            data = _data_dir(work, into, data_dir)
            _check(work, into, data)
            epoch = renew(work / "data") if (work / "data" / _STORE).exists() else None
            _put(work, into, data)
    except OSError as error:
        raise GewuError(f"{error.filename or into} cannot be written: {error.strerror}. Free some space.") from error
    return Restored(
        gateway=head.gateway,
        made=head.made,
        config=str(into / CONFIGURATION),
        data_dir=str(data),
        epoch=epoch,
        files=len(head.files),
        next=_next(head, into, data),
    )


def _data_dir(work: Path, into: Path, asked: Path | None) -> Path:
    """Where the data goes; with `asked` the restored configuration says so from then on."""
    config = work / "config" / CONFIGURATION
    if asked is None:
        named = tomlfile.read(config).get("gateway", {}).get("data_dir", "/var/lib/gewu")
        return (into / str(named)).absolute()
    text = config.read_text(encoding="utf-8")
    line = f'data_dir = "{asked.absolute()}"'
    changed, count = re.subn(r"(?m)^(\s*)data_dir\s*=.*$", lambda found: found[1] + line, text, count=1)
    if not count:
        changed = re.sub(r"(?m)^\s*\[gateway\].*$", lambda found: f"{found[0]}\n{line}", text, count=1)
    config.write_text(changed, encoding="utf-8")
    if tomlfile.read(config).get("gateway", {}).get("data_dir") != str(asked.absolute()):
        raise GewuError(
            f"The backup's {CONFIGURATION} is written in a way that --data-dir cannot change: leave it out."
        )
    return asked.absolute()


def _check(work: Path, into: Path, data: Path) -> None:
    """Whether every place is free. Raises GewuError."""
    _free(data / _STORE, "another --data-dir")
    for source, target in _pairs(work, into, data):
        if target.exists() and target.read_bytes() != source.read_bytes():
            raise GewuError(f"{target} is there already and is another file: restore into an empty folder.")


def _free(path: Path, instead: str) -> None:
    if path.exists():
        raise GewuError(f"{path} is there already, and a restore overwrites nothing: name {instead}, or move it away.")


def _pairs(work: Path, into: Path, data: Path) -> list[tuple[Path, Path]]:
    """Every unpacked file with its place, the configuration last: only what is whole has one."""
    found = []
    for base, target in (("data", data), ("elsewhere", into / "elsewhere"), ("config", into)):
        folder = work / base
        files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
        found += [(path, target / path.relative_to(folder)) for path in files]
    return sorted(found, key=lambda pair: pair[1] == into / CONFIGURATION)


def _put(work: Path, into: Path, data: Path) -> None:
    for source, target in _pairs(work, into, data):
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(target.name + ".restored")
        shutil.copy2(source, beside)  # the data folder may be another file system
        move_whole(beside, target)


def _next(head: Manifest, into: Path, data: Path) -> list[str]:
    config = into / CONFIGURATION
    steps = [f"Put {name} there: it is a secret, and the backup was made without." for name in head.left_out]
    steps += [
        f"Move {into / entry.name} to {entry.place}, or name its new place in {config}."
        for entry in head.files
        if entry.place is not None
    ]
    return [
        *steps,
        f"Retire the gateway that this backup is from, if it still runs: two with the id {head.gateway} would "
        "push one another off the broker.",
        f"See that all is right: gewu check --config {config}",
        f"Start it: gewu run --config {config}",
    ]
