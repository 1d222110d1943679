"""What each story of a run has cost: how long a position was bare, loose or waited.

A story adds one row to its test's report, which travels from the workers by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct, convert, to_builtins

from tests.acceptance.table import Table

STORY = "story"
"""Name of the property of a test's report."""
RECONCILE_MS = 5_000
ORDER_MS = 2_000
BOUND_MS = RECONCILE_MS + ORDER_MS
"""R + D: how long a position whose stop was taken away may be bare."""
WHOLE = "nothing taken from us"
ONE_STOP = "nothing taken from us, one stop at a time"
TAKEN = "our stops taken, or the exchange out of reach"


class StoryClocks(Struct, frozen=True, kw_only=True):
    """The clocks of the exchange's oracle at the end of one story, milliseconds."""

    group: str
    unprotected_ms: int
    """The longest gap without a stop while the exchange was in reach."""
    loosened_ms: int
    first_stop_ms: int
    size_lag_ms: int


def measure(table: Table) -> StoryClocks:
    """Read the clocks of a story that is over."""
    clocks = table.clocks()
    alone = table.one_stop_only and not table.exchange.one_layer
    group = TAKEN if table.bare_because else ONE_STOP if alone else WHOLE
    return StoryClocks(
        group=group,
        unprotected_ms=table.longest_bare_ms if table.bare_because else clocks.unprotected_ms,
        loosened_ms=clocks.loosened_ms,
        first_stop_ms=clocks.first_stop_ms or 0,
        size_lag_ms=clocks.size_lag_ms,
    )


def judge(row: StoryClocks) -> None:
    """Fail where a position was bare that should not have been, or for too long."""
    if row.group == TAKEN:
        assert row.unprotected_ms <= BOUND_MS, f"bare for longer than R + D: {row}"
        return
    # A story that takes stops away says so: `table.bare_allowed(why)` or `table.out_of_reach`.
    assert row.unprotected_ms == 0, f"bare although nothing was taken from us: {row}"


def as_property(row: StoryClocks) -> tuple[str, Any]:
    """The row as a report carries it."""
    return STORY, to_builtins(row)


def from_properties(properties: Iterable[tuple[str, Any]]) -> Iterator[StoryClocks]:
    """The rows of one test's report."""
    for name, value in properties:
        if name == STORY:
            yield convert(value, StoryClocks)


def distribution(rows: Iterable[StoryClocks]) -> Iterator[str]:
    """Lines that say how the clocks were spread, by what was done to the position."""
    rows = list(rows)
    fields = ("unprotected_ms", "loosened_ms", "first_stop_ms", "size_lag_ms")
    yield f"{'':<48}{'clock':<16}{'stories':>8}{'> 0':>6}{'p50':>8}{'p99':>8}{'max':>8}"
    for group in (WHOLE, ONE_STOP, TAKEN):
        chosen = [row for row in rows if row.group == group]
        for number, name in enumerate(fields if chosen else ()):
            values = sorted(getattr(row, name) for row in chosen)
            label = "" if number else group
            above = sum(value > 0 for value in values)
            middle, high, top = (_at(values, share) for share in (50, 99, 100))
            yield (
                f"{label:<48.48}{name:<16}{len(values):>8}{above:>6}{middle:>8}{high:>8}{top:>8}"
            )


def _at(values: list[int], percent: int) -> int:
    """The value below or at which so many percent lie."""
    rank = -(-len(values) * percent // 100)
    return values[max(0, rank - 1)]
