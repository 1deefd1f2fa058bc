"""A gateway's data and secrets destroyed: every file overwritten, removed and looked for again, with a list of them.

It takes what lies in the data folder and every secret that the configuration names, and leaves what is public or was
handed to others, naming it. It promises nothing about the cells of a flash card: the certificate says what to do.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.backup.contents import items
from gateway.config import Config
from gateway.errors import GewuError

METHOD = (
    "Each file was overwritten with zeros once, synced, cut to nothing and removed, and then looked for. A flash card "
    "may keep older copies of its cells: destroy the card, or overwrite all of it, where that matters."
)
_PIECE = 1 << 20


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """While this lasts no gateway runs on `data_dir`. GewuError where one does, or there is no such folder."""
    lock = data_dir / "lock"
    if not data_dir.is_dir():
        raise GewuError(f"There is no data folder {data_dir}; is this the right configuration?")
    with lock.open("a", encoding="ascii") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise GewuError(f"A gateway runs on {data_dir}: stop it first (systemctl stop gewu).") from error
        yield


def inventory(config: Config) -> tuple[list[Path], list[Path]]:
    """(what is destroyed, what the configuration names and is left). Raises OSError."""
    data_dir = config.gateway.data_dir.resolve()
    inside = [path for path in sorted(data_dir.rglob("*")) if path.is_symlink() or not path.is_dir()]
    named = [item for item in items(config, config.file) if not item.file.is_relative_to(data_dir)]
    secrets = [item.file for item in named if item.sort == "secret"]
    outside = [sink.folder for sink in config.sink if sink.folder is not None]
    left = [item.file for item in named if item.sort != "secret"]
    inside += [path for path in secrets if path not in inside]
    return inside, [*left, *(folder for folder in outside if not folder.resolve().is_relative_to(data_dir))]


def destroy(config: Config, progress: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Destroy, and say what was destroyed: for the certificate. GewuError names a file that is still there.

    Call it inside `alone`. Repeating it after a cut destroys what is left.
    """
    data_dir = config.gateway.data_dir.resolve()
    gone, left = inventory(config)
    rows = []
    for path in gone:
        rows.append(_emptied(path, data_dir))
        progress()
    # Empty by now. Secrets beside the data go last: without them the configuration, and so a repetition, is refused.
    for path in sorted(gone, key=lambda path: not path.is_relative_to(data_dir)):
        path.unlink()
    for folder in sorted((one for one in data_dir.rglob("*") if one.is_dir()), reverse=True):
        folder.rmdir()
    still = [str(path) for path in (*gone, *data_dir.rglob("*")) if path.is_symlink() or path.exists()]
    if still:
        raise GewuError(f"Not destroyed: {', '.join(still[:5])}; repeat it.")
    return {"data_dir": str(data_dir), "method": METHOD, "files": rows, "left": [str(path) for path in left]}


def _emptied(path: Path, data_dir: Path) -> dict[str, Any]:
    """What one file was; it is empty now. What a link points to is not touched; of a secret no hash is kept."""
    inside = path.is_relative_to(data_dir)
    row: dict[str, Any] = {"file": str(path.relative_to(data_dir) if inside else path), "bytes": 0, "sha256": None}
    if not path.is_symlink() and path.is_file():
        row["bytes"] = path.stat().st_size
        row["sha256"] = _digest(path) if inside else None
        _overwrite(path, row["bytes"])
    return row


def _overwrite(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        for at in range(0, size, _PIECE):
            file.write(bytes(min(_PIECE, size - at)))
        file.flush()
        os.fsync(file.fileno())
        file.truncate(0)
        os.fsync(file.fileno())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
