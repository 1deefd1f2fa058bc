"""Questions to a centre's tables: what is known of some keys, and the ledger of all in a few rows. SQL only."""

from typing import Any

import sqlalchemy as sa

from gateway.receiver import tables

_KEYS_AT_ONCE = 200


def known(connection: sa.Connection, keys: list[tuple[str, str, int]]) -> set[tuple[str, str, int]]:
    table = tables.message
    found: set[tuple[str, str, int]] = set()
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = sa.or_(
            *(
                sa.and_(table.c.gateway == gateway, table.c.epoch == epoch, table.c.seq == seq)
                for gateway, epoch, seq in keys[start : start + _KEYS_AT_ONCE]
            )
        )
        query = sa.select(table.c.gateway, table.c.epoch, table.c.seq).where(some)
        found |= {(row.gateway, row.epoch, row.seq) for row in connection.execute(query)}
    return found


def islands(first: Any, last: Any, where: Any, more: tuple[Any, ...]) -> Any:
    """Runs of numbers without a hole, with the times of their ends: one row each, however many messages."""
    table = tables.message
    each = (table.c.gateway, table.c.epoch, *more)
    order = {"partition_by": each, "order_by": first}
    begins = sa.case((sa.func.lag(last).over(**order) == first - 1, 0), else_=1).label("begins")
    columns = (table.c.gateway, table.c.epoch, table.c.made_from, table.c.made_to)
    rows = sa.select(*columns, first.label("first"), last.label("last"), begins).where(where).subquery()
    running = sa.func.sum(rows.c.begins).over(partition_by=(rows.c.gateway, rows.c.epoch), order_by=rows.c.first)
    numbered = sa.select(rows, running.label("island")).subquery()
    return sa.select(
        numbered.c.gateway,
        numbered.c.epoch,
        sa.func.min(numbered.c.first).label("first"),
        sa.func.max(numbered.c.last).label("last"),
        sa.func.min(numbered.c.made_from).label("made_from"),
        sa.func.max(numbered.c.made_to).label("made_to"),
    ).group_by(numbered.c.gateway, numbered.c.epoch, numbered.c.island)


def counts() -> Any:
    table = tables.message
    counted = (sa.func.sum(table.c.records).label("records"), sa.func.sum(table.c.again).label("again"))
    flag = sa.func.max(sa.case((table.c.filtered, 1), else_=0)).label("filtered")
    key = (table.c.gateway, table.c.epoch, table.c.kind)
    return sa.select(*key, *counted, flag).group_by(*key)
