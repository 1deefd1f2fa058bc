"""Writing a file whole or not at all: a power cut leaves the old content or the new, never half and never nothing."""

import os
from pathlib import Path


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace `path` by `content`: a new file beside it, synced, renamed over it, the folder synced. Raises OSError."""
    new = path.with_name(path.name + ".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    move_whole(new, path)


def move_whole(new: Path, path: Path) -> None:
    """Let the synced file `new` take the place of `path`, safe on disk when this returns. Raises OSError."""
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
