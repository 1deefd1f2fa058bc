"""A centre's memory in any SQL database that SQLAlchemy speaks: one transaction a batch, each message once.

A message's key is (gateway, epoch, seq). Whoever else writes into the same tables, it is there once; nothing is
acknowledged before the commit.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from gateway.errors import ConfigurationError, StoreError, TryAgain

try:
    import sqlalchemy as sa
except ImportError as missing:  # an extra: a gateway itself needs no SQL server
    raise ConfigurationError(
        "Receiving into a database needs the extra `centre`: pip install 'gewu-edge[centre]'."
    ) from missing

from sqlalchemy import exc

from gateway.receiver import tables
from gateway.receiver.keep import Batch, Refused
from gateway.receiver.ledger import STREAMS, Ledger
from gateway.receiver.queries import counts, islands, known
from gateway.receiver.rows import Corrections
from gateway.receiver.table_rows import exported, key_of, table_rows
from gateway.receiver.taken import Taken
from gateway.records import from_rfc3339
from gateway.uplink.native import WireCorrection

_log = logging.getLogger(__name__)
_ROWS_AT_ONCE = 1000
T = TypeVar("T")
_STREAM_OF = {"readings": tables.reading, "events": tables.event, "cases": tables.case}


class Database:
    """The tables at `url`, made when missing. Raises ConfigurationError for a URL that cannot be right, TryAgain
    while the database is away, StoreError for tables of a newer release."""

    def __init__(self, url: str) -> None:
        try:
            parsed = sa.make_url(_driven(url))
            self._where = parsed.render_as_string(hide_password=True)
            self._engine = sa.create_engine(parsed, pool_pre_ping=True)
        except (exc.ArgumentError, exc.NoSuchModuleError, ImportError) as error:
            raise ConfigurationError(f"--into {url.partition('://')[0]}://... is no database: {error}.") from error
        self._corrections = Corrections()
        if self._engine.dialect.name == "sqlite":
            sa.event.listen(self._engine, "connect", _careful)
        try:
            self._guarded(lambda connection: tables.migrate(connection, self._where))
        except (StoreError, TryAgain):
            self._engine.dispose()
            raise

    def load(self) -> Ledger:
        return self._guarded(self._load)

    def states(self) -> dict[str, str]:
        found = sa.select(tables.status.c.gateway, tables.status.c.state)
        return self._guarded(lambda connection: {row.gateway: row.state for row in connection.execute(found)})

    def keep(self, batch: Batch) -> Sequence[Refused]:
        refused: list[Refused] = []
        for _ in range(2):
            try:
                self._commit(batch)
                break
            except exc.IntegrityError:
                batch = self._without_known(batch)  # another receiver was quicker with some of them
            except (exc.DataError, exc.StatementError, ValueError, OverflowError) as error:
                _log.warning("a batch is kept message by message, for one of it cannot be: %s", error)
                refused = self._one_by_one(batch)
                break
        else:
            raise TryAgain(f"The database {self._where} is written by another receiver at the same time.")
        for taken in batch.fresh:
            self._learn(taken)
        return refused

    def report(self, document: dict[str, Any]) -> None:
        """What is missing is told by the tables themselves; nothing is added to them."""

    def records(self, stream: str) -> Iterator[dict[str, Any]]:
        table = _STREAM_OF[stream]
        order = [table.c.gateway, table.c.epoch, table.c.seq]
        if stream == "readings":
            order.append(table.c.i)
        query = sa.select(table).order_by(*order)
        try:
            options = self._engine.connect().execution_options(yield_per=_ROWS_AT_ONCE)
            with options as connection, connection.execute(query) as found:
                for row in found:
                    yield exported(stream, dict(row._mapping))
        except exc.DBAPIError as error:
            raise self._away(error) from error

    def close(self) -> None:
        self._engine.dispose()

    # --- writing --------------------------------------------------------------------------------------

    def _commit(self, batch: Batch) -> None:
        self._guarded(lambda connection: self._write(connection, batch))

    def _write(self, connection: sa.Connection, batch: Batch) -> None:
        rows: dict[sa.Table, list[dict[str, Any]]] = {}
        for taken in batch.fresh:
            for table, row in table_rows(taken, self._corrections):
                rows.setdefault(table, []).append(row)
        for table, found in rows.items():
            connection.execute(table.insert(), found)
        if batch.again:
            table = tables.message
            same = sa.and_(*(table.c[name] == sa.bindparam(f"k_{name}") for name in ("gateway", "epoch", "seq")))
            keys = [dict(zip(("k_gateway", "k_epoch", "k_seq"), key_of(taken), strict=True)) for taken in batch.again]
            connection.execute(table.update().where(same).values(again=table.c.again + 1), keys)
        for taken in batch.fresh:
            if isinstance(taken.message, WireCorrection):
                self._correct(connection, taken.gateway, taken.message)
        for status in batch.statuses:
            connection.execute(tables.status.delete().where(tables.status.c.gateway == status.gateway))
            row = {"gateway": status.gateway, "state": status.content["state"], "got": status.got}
            connection.execute(tables.status.insert(), {**row, "content": status.content})

    def _correct(self, connection: sa.Connection, gateway: str, told: WireCorrection) -> None:
        table = tables.reading
        wrong = sa.and_(
            table.c.gateway == gateway,
            table.c.epoch == told.epoch,
            table.c.boot == told.boot,
            table.c.clock == "untrusted",
            table.c.at.between(from_rfc3339(told.start), from_rfc3339(told.end)),
        )
        connection.execute(table.update().where(wrong).values(at=table.c.at + told.offset_ms, clock="corrected"))
        events = tables.event
        early = sa.and_(
            events.c.gateway == gateway,
            events.c.epoch == told.epoch,
            events.c.boot == told.boot,
            events.c.clock == "untrusted",
            events.c.raised.between(from_rfc3339(told.start), from_rfc3339(told.end)),
        )
        # Nothing and something added is nothing: an event that has not cleared stays so.
        late = {name: events.c[name] + told.offset_ms for name in ("raised", "cleared")}
        connection.execute(events.update().where(early).values(**late, clock="corrected"))

    def _learn(self, taken: Taken) -> None:
        if isinstance(taken.message, WireCorrection):
            self._corrections.add(taken.gateway, taken.message)

    def _one_by_one(self, batch: Batch) -> list[Refused]:
        refused = []
        for taken in batch.fresh:
            try:
                self._commit(Batch([taken], [], []))
            except exc.IntegrityError:
                continue  # it is there already
            except (exc.DataError, exc.StatementError, ValueError, OverflowError) as error:
                refused.append(Refused(taken, f"the database cannot hold it: {error}"[:200]))
        self._commit(Batch([], batch.again, batch.statuses))
        return refused

    def _without_known(self, batch: Batch) -> Batch:
        keys = [key_of(taken) for taken in batch.fresh]
        here = self._guarded(lambda connection: known(connection, keys))
        fresh = [taken for taken in batch.fresh if key_of(taken) not in here]
        return Batch(fresh, [*batch.again, *(taken for taken in batch.fresh if key_of(taken) in here)], batch.statuses)

    # --- reading --------------------------------------------------------------------------------------

    def _load(self, connection: sa.Connection) -> Ledger:
        ledger = Ledger()
        table = tables.message
        for row in connection.execute(islands(table.c.seq, table.c.seq, sa.true(), ())):
            ledger.epoch(row.gateway, row.epoch).seqs.note(row.first, row.last, row.made_from, row.made_to)
        for stream in STREAMS:
            wanted = sa.and_(table.c.kind == stream, table.c.records > 0, sa.not_(table.c.filtered))
            for row in connection.execute(islands(table.c.first, table.c.last, wanted, (table.c.kind,))):
                numbers = ledger.epoch(row.gateway, row.epoch).numbers[stream]
                numbers.note(row.first, row.last, row.made_from, row.made_to)
        for row in connection.execute(counts()):
            epoch = ledger.epoch(row.gateway, row.epoch)
            epoch.duplicates += row.again
            epoch.filtered = epoch.filtered or bool(row.filtered)
            for stream in STREAMS:
                if row.kind == stream:
                    epoch.counts[stream] += row.records
        for row in connection.execute(sa.select(tables.gap)):
            ledger.epoch(row.gateway, row.epoch).gap(row.stream, row.first, row.last)
        for row in connection.execute(sa.select(tables.correction)):
            self._corrections.know(row.gateway, row.epoch, row.boot, row.made_from, row.made_to, row.offset_ms)
        return ledger

    def _guarded(self, work: Callable[[sa.Connection], T]) -> T:
        """`work` in one transaction; TryAgain when the database itself is in the way, or was."""
        try:
            with self._engine.begin() as connection:
                return work(connection)
        except (exc.OperationalError, exc.InterfaceError, exc.InternalError) as error:
            raise self._away(error) from error
        except exc.ProgrammingError as error:
            raise StoreError(f"The database {self._where} refuses: {_first_line(error)}.") from error
        except exc.TimeoutError as error:
            raise self._away(error) from error

    def _away(self, error: Exception) -> TryAgain:
        return TryAgain(f"The database {self._where} cannot be used now ({_first_line(error)}).")


def _first_line(error: Exception) -> str:
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _driven(url: str) -> str:
    """PostgreSQL by the driver that the extra brings, unless another is named."""
    for scheme in ("postgresql://", "postgres://"):
        if url.startswith(scheme):
            return "postgresql+psycopg://" + url.removeprefix(scheme)
    return url


def _careful(connection: Any, _record: Any) -> None:
    """SQLite: committed means on disk, and a reader beside the writer waits instead of failing."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
