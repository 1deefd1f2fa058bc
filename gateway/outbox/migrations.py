"""From one released schema of the outbox to the next: numbered scripts, each applied as a whole or not at all.

It opens no file, and it never changes what a newer release wrote.
"""

import sqlite3
import uuid
from importlib import resources
from pathlib import Path

from gateway import points
from gateway.errors import StoreError


def released() -> list[tuple[int, str]]:
    """Every schema's number and script, in order."""
    folder = resources.files("gateway.outbox").joinpath("schema")
    files = sorted((file.name, file) for file in folder.iterdir() if file.name.endswith(".sql"))
    return [(int(name.removesuffix(".sql")), file.read_text(encoding="utf-8")) for name, file in files]


def refuse_newer(path: Path, connection: sqlite3.Connection) -> int:
    """The schema's version; raises StoreError when this release does not know it."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    known = released()[-1][0]
    if version > known:
        raise StoreError(
            f"The outbox {path} was written by a newer gewu (schema {version}, this one knows {known}): "
            "install that release again, or move the file away to begin a new outbox."
        )
    return version


def migrate(path: Path, connection: sqlite3.Connection) -> None:
    """Bring the database to the newest schema. Raises StoreError when a newer release wrote it."""
    version = refuse_newer(path, connection)
    for number, script in released():
        if number <= version:
            continue
        # One transaction a step, its number included: after a power cut it is before or after, never between.
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements(script):
                connection.execute(statement)
                points.reach("migrate")
            if number == 1:
                connection.execute("INSERT INTO meta VALUES ('epoch', ?)", (str(uuid.uuid4()),))
            connection.execute(f"PRAGMA user_version={number}")
            points.reach("migrate")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def statements(script: str) -> list[str]:
    """The SQL statements of a script, one by one (sqlite3.executescript would commit between them)."""
    found, current = [], ""
    for line in script.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            found.append(current.strip())
            current = ""
    return found
