"""What becomes of prices as they grow old: packed tightly, and forgotten in the end.

While prices arrive they are written a few at a time. Rows that follow each other in one
epoch, with nothing else of that epoch between them, say the same as one row of them all.
"""

from __future__ import annotations

from itertools import takewhile

from sqlalchemy import Connection, bindparam, delete, select, update

from trailstop.storage.prices import decode_prices, encode_prices
from trailstop.storage.read import PRICES
from trailstop.storage.records import QuietEvent
from trailstop.storage.tables import journal, meta
from trailstop.storage.upsert import upsert

COMPACT_ROWS = 2_000
"""Rows that one call looks at; about 50 ms, during which the writer does nothing else."""

CURSOR = "compacted_to"
"""Key of the newest row that was looked at."""

FORGOTTEN = "prices_forgotten_before"
"""Key of the time, Unix ms, before which prices are missing: no replay can do without them."""


def compact(connection: Connection, before_ms: int) -> bool:
    """Pack the next rows that are older than a time; True while there are more of them."""
    cursor = connection.execute(select(meta.c.value).where(meta.c.key == CURSOR)).scalar()
    rows = connection.execute(
        select(journal)
        .where(journal.c.sequence > int(cursor or 0))
        .order_by(journal.c.sequence)
        .limit(COMPACT_ROWS)
    )
    old = list(takewhile(lambda row: row.at < before_ms, rows.all()))
    if not old:
        return False
    runs: dict[int | None, list[tuple[int, str]]] = {}
    done: list[list[tuple[int, str]]] = []
    for row in old:
        if row.kind == PRICES:
            runs.setdefault(row.position_id, []).append((row.sequence, row.payload))
        elif row.position_id in runs:
            done.append(runs.pop(row.position_id))
    for run in (*done, *runs.values()):
        _merge(connection, run)
    upsert(connection, meta, ["key"], {"key": CURSOR, "value": str(old[-1].sequence)})
    return len(old) == COMPACT_ROWS


def prune(connection: Connection, before_ms: int) -> int:
    """Forget price runs that ended before a time; gives how many rows went."""
    gone = connection.execute(
        delete(journal).where(journal.c.kind == PRICES, journal.c.at < before_ms)
    ).rowcount
    if gone:
        upsert(connection, meta, ["key"], {"key": FORGOTTEN, "value": str(before_ms)})
    return gone


def _merge(connection: Connection, run: list[tuple[int, str]]) -> None:
    """Let the newest row of a run say everything, and remove the others."""
    *others, (newest, _) = run
    if not others:
        return
    events: list[QuietEvent] = []
    for _, payload in run:
        events.extend(decode_prices(payload))
    connection.execute(
        update(journal).where(journal.c.sequence == newest).values(payload=encode_prices(events))
    )
    connection.execute(
        delete(journal).where(journal.c.sequence == bindparam("gone")),
        [{"gone": sequence} for sequence, _ in others],
    )
