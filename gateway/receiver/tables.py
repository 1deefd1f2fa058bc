"""The tables of a centre's database, and the way from one release's to the next. SQLAlchemy Core, any database.

Names are prefixed, so that they can live beside others'. Times are Unix milliseconds in UTC. `docs/receiver.md`
says what each holds.
"""

from collections.abc import Callable

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    inspect,
    select,
)

from gateway.errors import StoreError

metadata = MetaData()
_WHO = 255  # "site/gateway", each at most 127 characters
_NAME = 127


def _key() -> list[Column[object]]:
    return [
        Column("gateway", String(_WHO), primary_key=True),
        Column("epoch", String(_NAME), primary_key=True),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
    ]


meta = Table("gewu_meta", metadata, Column("name", String(32), primary_key=True), Column("value", Integer))

# Every message once: the ledger. `first`, `last` and `records` are of its stream; `again` counts its repetitions.
message = Table(
    "gewu_message",
    metadata,
    *_key(),
    Column("kind", String(16), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("records", Integer, nullable=False),
    Column("filtered", Boolean, nullable=False),
    Column("made_from", BigInteger, nullable=False),
    Column("made_to", BigInteger, nullable=False),
    Column("got", BigInteger, nullable=False),
    Column("again", Integer, nullable=False),
)

reading = Table(
    "gewu_reading",
    metadata,
    *_key(),
    Column("i", Integer, primary_key=True, autoincrement=False),
    Column("n", BigInteger),
    Column("boot", String(_NAME), nullable=False),
    Column("device", String(_NAME), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("clock", String(16), nullable=False),
    Column("values", JSON, nullable=False),
    Column("marks", JSON, nullable=False),
)
Index("gewu_reading_at", reading.c.gateway, reading.c.device, reading.c.at)

event = Table(
    "gewu_event",
    metadata,
    *_key(),
    Column("n", BigInteger, nullable=False),
    Column("id", String(_NAME), nullable=False),
    Column("kind", String(_NAME), nullable=False),
    Column("grade", Integer, nullable=False),
    Column("device", String(_NAME)),
    Column("place", Text, nullable=False),
    Column("raised", BigInteger, nullable=False),
    Column("cleared", BigInteger),
    Column("boot", String(_NAME)),  # with `clock`, when the times are not, or were not, to be trusted
    Column("clock", String(_NAME)),
    Column("values", JSON, nullable=False),
    Column("evidence", JSON, nullable=False),
)
Index("gewu_event_raised", event.c.raised)

case = Table(
    "gewu_case",
    metadata,
    *_key(),
    Column("n", BigInteger, nullable=False),
    Column("id", String(_NAME), nullable=False),
    Column("case", JSON, nullable=False),
    Column("transition", JSON, nullable=False),
)

gap = Table(
    "gewu_gap",
    metadata,
    *_key(),
    Column("stream", String(_NAME), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("made_from", BigInteger, nullable=False),
    Column("made_to", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
)

correction = Table(
    "gewu_correction",
    metadata,
    *_key(),
    Column("boot", String(_NAME), nullable=False),
    Column("made_from", BigInteger, nullable=False),
    Column("made_to", BigInteger, nullable=False),
    Column("offset_ms", BigInteger, nullable=False),
)

status = Table(
    "gewu_status",
    metadata,
    Column("gateway", String(_WHO), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("got", BigInteger, nullable=False),
    Column("content", JSON, nullable=False),
)

STEPS: tuple[Callable[[Connection], None], ...] = (metadata.create_all,)
"""Step N brings the tables from version N to N + 1. Later releases append; none is ever changed."""


def migrate(connection: Connection, where: str) -> None:
    """Bring the tables to this release's version, within the caller's transaction. Raises StoreError for newer ones."""
    version = 0
    if inspect(connection).has_table(meta.name):
        version = connection.execute(select(meta.c.value).where(meta.c.name == "version")).scalar_one()
    if version > len(STEPS):
        raise StoreError(
            f"The tables in {where} were written by a newer gewu (version {version}, this one knows {len(STEPS)}): "
            "install that release again, or name another database."
        )
    for step in STEPS[version:]:
        step(connection)
    if version == 0:
        connection.execute(meta.insert().values(name="version", value=len(STEPS)))
    elif version < len(STEPS):
        connection.execute(meta.update().where(meta.c.name == "version").values(value=len(STEPS)))
