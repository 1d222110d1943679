"""Units and spans of virtual time that the drill and its judgement share."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.crash.verdict import Kind

US_PER_MS = 1_000
REACTION_MS = 2_000
"""What a guard may take to act on a price: two ways, a look-up, a second try."""
SETTLE_MS = 4_000
"""Virtual time after a start in which everything has to be in order again."""
FOREVER_US = 1 << 62

Span = tuple[int, int]
"""Begin and end, microseconds."""


@dataclass
class Kill:
    """One kill: its stage and the virtual time in which no guard ran."""

    stage: str
    write: bool
    from_us: int
    to_us: int = FOREVER_US


@dataclass(frozen=True)
class Counted:
    """Something that the exchange's oracle has counted on a leg between two looks at it."""

    account: str
    symbol: str
    position_side: str
    kind: Kind
    count: int
    from_us: int
    to_us: int
    where: str


def dead_times(kills: list[Kill], least_ms: int = REACTION_MS) -> list[Span]:
    """Spans in which no guard ran for so long that it could do anything, oldest first."""
    spans: list[Span] = []
    for kill in kills:
        begin_us = kill.from_us
        if spans and begin_us - spans[-1][1] <= least_ms * US_PER_MS:
            begin_us = spans.pop()[0]
        spans.append((begin_us, kill.to_us))
    return spans
