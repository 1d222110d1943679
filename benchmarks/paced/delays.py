"""From exact to live stop: what a journal says of it, by replaying its inputs.

A raise is a better exact stop of a trail whose stop has been acknowledged, from breakeven on. Its
delay is the time from the price that brought it (exchange's time) until a stop at least as good is
live (the acknowledgement that the exchange states). A raise that no stop reaches before the stop
fires or the position ends is censored there: its delay is at least that long. To leave those out
would leave out the longest ones of whoever is slow. `behind_ms` needs no such choice: it is all the
time in which the live stop was looser than the exact one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from trailstop.domain.position import Phase
from trailstop.engine.begin import begin
from trailstop.engine.commands import Command
from trailstop.engine.events import Event
from trailstop.engine.step import step
from trailstop.engine.trail import Trail
from trailstop.storage.records import Adopted

PERCENT = 100
OVER = (Phase.TRIGGERED, Phase.CLOSED)


@dataclass
class Delays:
    """Every raise of some epochs, in milliseconds."""

    reached: list[int] = field(default_factory=list)
    censored: list[int] = field(default_factory=list)
    behind_ms: int = 0
    moves: int = 0
    epochs: int = 0

    def told(self) -> dict[str, object]:
        """Both readings: of the raises that a stop reached, and of all of them."""
        return {
            "epochs": self.epochs,
            "moves": self.moves,
            "raises": len(self.reached) + len(self.censored),
            "censored": len(self.censored),
            "behind_ms": self.behind_ms,
            "reached_ms": distribution(self.reached),
            "all_ms": distribution(self.reached + self.censored),
        }


def replay(adopted: Adopted, events: Iterable[Event], into: Delays) -> list[tuple[Command, ...]]:
    """Run one epoch's inputs through the rule again; returns what it decided, for comparison."""
    trail = begin(
        leg=adopted.leg,
        epoch=adopted.epoch,
        position=adopted.position,
        instrument=adopted.instrument,
        policy=adopted.policy,
        fees=adopted.fees,
        at_ms=adopted.at_ms,
        foreign_stop=adopted.foreign_stop,
    )
    side, at_ms = adopted.position.side, adopted.at_ms
    waiting: list[tuple[Decimal, int]] = []
    decided = []
    behind_from_ms: int | None = None
    for event in events:
        before, at_ms = trail, event.at_ms
        trail, commands = step(before, event)
        if commands:
            decided.append(commands)
        exact, live = trail.exact_stop, trail.live_stop
        if live is not None and waiting:
            into.reached += [
                at_ms - since_ms for stop, since_ms in waiting if not side.better(stop, live)
            ]
            waiting = [row for row in waiting if side.better(row[0], live)]
        if behind_from_ms is not None and not waiting:
            into.behind_ms += at_ms - behind_from_ms
            behind_from_ms = None
        if trail.phase in OVER:
            break
        if exact is not None and exact != before.exact_stop and _counts(trail):
            waiting.append((exact, at_ms))
            behind_from_ms = at_ms if behind_from_ms is None else behind_from_ms
    into.censored += [max(0, at_ms - since_ms) for _, since_ms in waiting]
    if behind_from_ms is not None:
        into.behind_ms += max(0, at_ms - behind_from_ms)
    into.moves += trail.moves
    into.epochs += 1
    return decided


def _counts(trail: Trail) -> bool:
    """Whether the exact stop is ahead of a live one, and trails or stands at breakeven."""
    exact, live = trail.exact_stop, trail.live_stop
    trails = trail.phase is Phase.ACTIVE or trail.breakeven_moved
    return (
        trails
        and exact is not None
        and live is not None
        and trail.position.side.better(exact, live)
    )


def distribution(values: list[int]) -> dict[str, int | float]:
    """Count, mean, median, 99th percentile and greatest."""
    if not values:
        return {"count": 0}
    row = sorted(values)
    ranks = {"p50": 50, "p99": 99}
    return {
        "count": len(row),
        "mean": round(sum(row) / len(row), 1),
        **{name: row[max(0, -(-len(row) * rank // PERCENT) - 1)] for name, rank in ranks.items()},
        "max": row[-1],
    }
