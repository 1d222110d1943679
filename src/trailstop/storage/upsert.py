"""Insert or change: the one statement whose spelling differs between databases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def upsert(
    connection: Connection, table: Table, keys: Sequence[str], values: Mapping[str, Any]
) -> None:
    """Insert a row, or overwrite the columns given where these keys exist already."""
    statement = sqlite.insert(table)
    fresh = {name: statement.excluded[name] for name in values if name not in keys}
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=fresh), dict(values)
    )


def add(connection: Connection, table: Table, column: str, rows: list[dict[str, Any]]) -> None:
    """Insert counting rows, or add to the count of those that exist."""
    if not rows:
        return
    statement = sqlite.insert(table)
    keys = list(table.primary_key.columns)
    total = table.c[column] + statement.excluded[column]
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_={column: total}), rows
    )
