"""Times in which a position may be without its stop, and what the clocks counted in them.

R + D: a guard's pass comes every 5 s, and an order takes 2 s at most. So long a position may be
bare once the exchange can be reached again, or once somebody took its stop away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

from msgspec import Struct

from trailstop.paper.oracle import Incident

R_MS = 5_000
D_MS = 2_000
BOUND_MS = R_MS + D_MS
MS_US = 1_000
FIRST_NAMED = 40

N = TypeVar("N", int, float)
What = Literal["unreachable", "removed", "unseen"]
"""Nothing arrives; a stop of ours was taken away; nothing tells of what happens."""


class Excuse(Struct, frozen=True, kw_only=True):
    """A time in which a stop may be missing; empty account and symbol mean all."""

    from_ms: int
    until_ms: int
    what: What
    why: str
    account: str = ""
    symbol: str = ""

    def concerns(self, account: str, symbol: str) -> bool:
        return self.account in {"", account} and self.symbol in {"", symbol}


class Gap(Struct, frozen=True, kw_only=True):
    """One uninterrupted time that a clock counted; `reachable_ms` is it less its excuses."""

    kind: str
    account: str
    symbol: str
    from_ms: int
    length_ms: int
    reachable_ms: int
    why: str

    @property
    def allowed(self) -> bool:
        return bool(self.why) and self.reachable_ms <= BOUND_MS

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.length_ms} ms ({self.reachable_ms} reachable) from {self.from_ms} "
            f"on {self.account} {self.symbol}: {self.why or 'NO EXCUSE'}"
        )


class Windows:
    """Every excuse of a run, and the gaps that were judged by them."""

    def __init__(self) -> None:
        self.excuses: list[Excuse] = []
        self.gaps: list[Gap] = []

    def add(self, excuse: Excuse) -> None:
        self.excuses.append(excuse)

    def reachable(self, account: str, now_ms: int) -> bool:
        """Whether an account can be reached now, as far as we know."""
        return not any(
            row.what == "unreachable"
            and row.concerns(account, row.symbol)
            and row.from_ms <= now_ms < row.until_ms
            for row in reversed(self.excuses[-50:])
        )

    def near(self, from_ms: int, to_ms: int) -> list[str]:
        """The excuses that lie near a time, in words."""
        return [
            f"{row.why} of {row.account} {row.symbol}"
            for row in self.excuses
            if row.from_ms <= to_ms and from_ms <= row.until_ms + BOUND_MS
        ]

    def judge(self, incident: Incident, account: str) -> Gap:
        """Hold one interval of the clocks against the excuses."""
        from_ms, to_ms = incident.from_us // MS_US, -(-incident.to_us // MS_US)
        near = [
            row
            for row in self.excuses
            if row.concerns(account, incident.symbol)
            and row.from_ms <= to_ms
            and from_ms <= row.until_ms + BOUND_MS
        ]
        gap = Gap(
            kind=incident.kind,
            account=account,
            symbol=incident.symbol,
            from_ms=from_ms,
            length_ms=to_ms - from_ms,
            reachable_ms=_outside(from_ms, to_ms, near),
            why="; ".join(dict.fromkeys(row.why for row in near)),
        )
        self.gaps.append(gap)
        return gap

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for kind in ("unprotected", "loosened", "disturbed"):
            rows = [gap for gap in self.gaps if gap.kind == kind]
            found[kind] = {
                "gaps": len(rows),
                "length_ms": distribution([gap.length_ms for gap in rows]),
                "reachable_ms": distribution([gap.reachable_ms for gap in rows]),
                "by_cause": dict(Counter(_first_words(gap.why) for gap in rows).most_common(20)),
            }
        found["not_allowed"] = [str(gap) for gap in self.not_allowed[:FIRST_NAMED]]
        longest = sorted(self.gaps, key=lambda gap: -gap.reachable_ms)
        found["longest"] = [str(gap) for gap in longest if gap.kind != "disturbed"][:FIRST_NAMED]
        found["not_allowed_count"] = len(self.not_allowed)
        return found

    @property
    def not_allowed(self) -> list[Gap]:
        return [gap for gap in self.gaps if gap.kind != "disturbed" and not gap.allowed]


def distribution(values: Sequence[N]) -> dict[str, N | int]:
    """Count, least, median, p90, p99 and greatest."""
    if not values:
        return {"count": 0}
    row = sorted(values)
    ranks = {"median": 50, "p90": 90, "p99": 99}
    return {
        "count": len(row),
        "min": row[0],
        **{name: row[max(0, -(-len(row) * rank // 100) - 1)] for name, rank in ranks.items()},
        "max": row[-1],
    }


def _outside(from_ms: int, to_ms: int, excuses: Sequence[Excuse]) -> int:
    """How much of a span lies outside the times in which nothing could be known or done."""
    outside, at_ms = 0, from_ms
    for row in sorted(excuses, key=lambda excuse: excuse.from_ms):
        if row.what == "removed" or row.until_ms <= at_ms:
            continue
        if row.from_ms > at_ms:
            outside += min(row.from_ms, to_ms) - at_ms
        at_ms = max(at_ms, min(row.until_ms, to_ms))
        if at_ms >= to_ms:
            break
    return outside + max(0, to_ms - at_ms)


def _first_words(why: str) -> str:
    return why.split(";", 1)[0].split(" of ", 1)[0] or "none"
