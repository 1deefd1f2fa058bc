"""Making a backup: one at a time for a data folder, from a snapshot that somebody hands over, put in its place.

What is made lies in the data folder's `backup-work` until it is put; whatever a killed program left there is
cleared away by the next.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gateway import __version__
from gateway.backup import archive, contents
from gateway.backup.contents import Item
from gateway.backup.manifest import Manifest
from gateway.backup.places import Place
from gateway.config import Config
from gateway.errors import GewuError, TryAgain
from gateway.records import rfc3339

WORK = "backup-work"
OUTBOX = "outbox.db"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that is in its place: `file` is a path or a URL, `at` in Unix ms. What `gewu backup` prints."""

    file: str
    name: str
    gateway: str
    at: int
    bytes: int
    sha256: str
    files: int
    secrets: bool
    left_out: list[str]


def make(
    config: Config, file: Path, place: Place, snapshot: Callable[[Path], bool], at: int, secrets: bool = False
) -> Made:
    """Make a backup of the gateway that `file` configures and put it in `place`.

    `snapshot` writes the outbox to the path it is given, False when there is none yet; `at` is Unix ms.
    Raises TryAgain, GewuError, StoreError.
    """
    with _work(config.gateway.data_dir) as work:
        store = work / OUTBOX
        found = [Item(store, f"data/{OUTBOX}", "outbox")] if snapshot(store) else []
        try:
            every = [*found, *contents.items(config, file)]
        except OSError as error:
            raise GewuError(
                f"{error.filename} cannot be read ({error.strerror}): make the backup with sudo."
            ) from error
        taken = [item for item in every if secrets or item.sort != "secret"]
        left_out = [item.place or item.name.removeprefix("config/") for item in every if item not in taken]
        head = Manifest(
            gateway=config.gateway.id,
            site=config.gateway.site,
            version=__version__,
            made=rfc3339(at),
            files=[],
            left_out=left_out,
        )
        name = name_of(config.gateway.id, at)
        made = work / name
        try:
            sha256 = archive.write(made, taken, head)
        except OSError as error:
            raise TryAgain(f"The backup cannot be written into {work} ({error.strerror}): free some space.") from error
        where = place.put(made, name)
        return Made(
            file=where,
            name=name,
            gateway=config.gateway.id,
            at=at,
            bytes=made.stat().st_size,
            sha256=sha256,
            files=len(taken),
            secrets=any(item.sort == "secret" for item in taken),
            left_out=left_out,
        )


def name_of(gateway: str, at: int) -> str:
    """Names sort by time: gewu-ID-20261122T013000Z.tar.gz."""
    stamp = rfc3339(at)[:19].replace("-", "").replace(":", "")
    return f"gewu-{gateway}-{stamp}Z{archive.ENDING}"


@contextmanager
def _work(data_dir: Path) -> Iterator[Path]:
    """The folder to work in, empty, for one backup at a time. Raises TryAgain, GewuError."""
    work = data_dir / WORK
    try:
        lock = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise GewuError(f"The folder {data_dir} (gateway.data_dir) cannot be read: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise TryAgain(f"Another backup of {data_dir} is being made: wait for it.") from error
    try:
        _cleared(work, data_dir)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        os.close(lock)


def _cleared(work: Path, data_dir: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(mode=0o700)
        if os.geteuid() == 0:
            owner = data_dir.stat()  # the gateway, which is not root, writes the outbox there
            os.chown(work, owner.st_uid, owner.st_gid)
    except OSError as error:
        raise GewuError(
            f"{work} cannot be made ({error.strerror}): make the backup as the gateway's user, or with sudo."
        ) from error
