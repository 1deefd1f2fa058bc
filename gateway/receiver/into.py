"""Where a receiver keeps its messages: a folder, or a database when it is named by a URL."""

from pathlib import Path

from gateway.receiver.files import Files
from gateway.receiver.keep import Keep


def opened(into: str, reading: bool = False) -> Keep:
    """The folder or database `into`, only to be read with `reading`. Raises what its class does."""
    if "://" not in into:
        return Files(Path(into), reading)
    from gateway.receiver.database import Database  # SQLAlchemy is an extra

    return Database(into)
