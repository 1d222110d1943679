"""How soon the first stops came: distributions over positions, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.outside.scene import Adoption

WITHIN_MS = 2_000
"""The promise: a position has its stop this soon after its fill."""
SHARES = {"median": 50, "p90": 90, "p99": 99}
PERCENT = 100

Row = dict[str, Any]


def distribution(adoptions: Sequence[Adoption]) -> Row:
    """Milliseconds from fill to first stop; a position without any leaves the tail open."""
    known = sorted(row.first_stop_ms for row in adoptions if row.first_stop_ms is not None)
    within = sum(one <= WITHIN_MS for one in known)
    whole = len(known) == len(adoptions)
    return {
        "positions": len(adoptions),
        "min": known[0] if known else None,
        **{name: _nearest_rank(known, len(adoptions), share) for name, share in SHARES.items()},
        "max": known[-1] if known and whole else None,
        "within_2000_ms": f"{PERCENT * within / len(adoptions):.1f}%",
        "late": len(adoptions) - within,
    }


def groups(adoptions: Sequence[Adoption]) -> dict[str, Row]:
    """The distribution of all, and by venue, client, mode and side."""
    by: tuple[Callable[[Adoption], str], ...] = (
        lambda _: "all",
        lambda row: row.case.venue,
        lambda row: row.case.client,
        lambda row: f"{row.case.venue} {row.case.mode.replace('_', '-')}",
        lambda row: f"{row.case.venue} {row.case.side}",
    )
    found: dict[str, list[Adoption]] = {}
    for name in by:
        for row in adoptions:
            found.setdefault(name(row), []).append(row)
    return {name: distribution(rows) for name, rows in found.items()}


def exchange_clocks(state: Row) -> Row:
    """What the exchange's own clocks have counted over the whole run."""
    clocks = state["clocks"]
    return {
        "unprotected_ms": clocks["unprotected_ms"],
        "loosened_ms": clocks["loosened_ms"],
        "duplicates": clocks["duplicates"],
        "longest_first_stop_ms": clocks["first_stop_ms"],
    }


def holds(result: Row) -> bool:
    """Whether every position had its stop in time, and none was ever without."""
    clocks = result["exchange"]
    longest = clocks["longest_first_stop_ms"]
    return (
        result["first_stop_ms"]["all"]["late"] == 0
        and clocks["unprotected_ms"] == 0
        and longest is not None
        and longest <= WITHIN_MS
    )


def _nearest_rank(known: Sequence[int], count: int, share: int) -> int | None:
    rank = -(-count * share // PERCENT)
    return known[rank - 1] if rank <= len(known) else None
