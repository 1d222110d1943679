"""Pages of lists: each carries a cursor from which the next one goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from trailstop.paper.bybit.errors import bad
from trailstop.paper.bybit.params import Params

Key = tuple[int, int]
"""Where a row stands in its list: rows are unique in it, and new ones have higher keys."""

T = TypeVar("T")


def page(
    rows: Sequence[tuple[Key, T]], params: Params, default: int, most: int
) -> tuple[list[T], str]:
    """The rows asked for, highest key first, and the cursor of the next page, empty after the last.

    The cursor is quoted, as this exchange's are; clients send it back quoted once more, or as is.
    """
    ordered = sorted(rows, key=lambda row: row[0], reverse=True)
    cursor = params.optional("cursor")
    if cursor is not None:
        behind = _read(cursor)
        ordered = [row for row in ordered if row[0] < behind]
    limit = params.limit(default, most)
    found = ordered[:limit]
    more = len(ordered) > limit
    return [row for _, row in found], _spell(found[-1][0]) if more else ""


def _spell(key: Key) -> str:
    return quote(f"{key[0]}:{key[1]},{key[0]}:{key[1]}")


def _read(cursor: str) -> Key:
    first = unquote(cursor).partition(",")[0]
    try:
        high, low = map(int, first.split(":"))
    except ValueError as error:
        raise bad("params error: cursor invalid") from error
    return high, low


def listed(rows: list[Any], cursor: str, category: str) -> dict[str, Any]:
    """A page as a result."""
    return {"nextPageCursor": cursor, "category": category, "list": rows}
