"""A file that holds disk space back: let go when the disk is full, so that events and marks still fit. Nothing else."""

import os
import shutil
from pathlib import Path

FILE_NAME = "outbox.reserve"
_MOST_BYTES = 4 * 2**20
_SPARE = 3  # made again when the disk has so many times its size


class Reserve:
    """The reserve of one outbox: at most 4 MiB, or a sixteenth of what the outbox may take."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._file = folder / FILE_NAME
        self.bytes = min(_MOST_BYTES, max_bytes // 16)

    def held(self) -> bool:
        """Whether there is something to let go."""
        return self._file.exists()

    def make(self) -> bool:
        """Hold the space back when the disk has plenty; False when it has not, or cannot be written."""
        try:
            if self._file.exists() and self._file.stat().st_size == self.bytes:
                return True
            if shutil.disk_usage(self._file.parent).free < _SPARE * self.bytes:
                return False
            with self._file.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self.bytes)
        except OSError:
            self.release()
            return False
        return True

    def release(self) -> bool:
        """Let the space go; False when there was none."""
        try:
            self._file.unlink()
        except OSError:
            return False
        return True
