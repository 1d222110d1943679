"""A price's way through what rests: which triggers and limits it meets, and in which order.

Two kinds of way. Along a *path* (between two points of one bar) the price passes every level
between, and each order is executed against a book that stands at its own level. A *jump* (between
two bars, and from trade to trade) meets the same orders in the same order, but all of them find
the book at the new price. Limit orders fill when the price goes through theirs, at theirs.
"""

from __future__ import annotations

from decimal import Decimal

from trailstop.paper.conditionals import Conditionals
from trailstop.paper.market_state import MarketState
from trailstop.paper.matching import Matcher
from trailstop.paper.triggers import Ladder, ratchet, trailing_level

Meeting = tuple[Decimal, int, int]
"""Level, kind (0 conditional, 1 limit) and id of an order that the price has met."""
CONDITIONAL = 0
LIMIT = 1


class Walker:
    """Moves one market's last or mark price and executes what it meets."""

    def __init__(self, matcher: Matcher, conditionals: Conditionals) -> None:
        self._matcher = matcher
        self._conditionals = conditionals

    def walk(
        self, state: MarketState, working_type: str, start: Decimal, target: Decimal, *, path: bool
    ) -> None:
        """Meet everything between `start` and `target`, nearest first, then pull trailing stops.

        With `path` the book of `state` is moved along and is back in its place afterwards.
        """
        resting = state.resting
        kept: set[int] = set()
        quote = state.quote
        while True:
            met = self._next(state, working_type, target, falling=target <= start, kept=kept)
            if met is None:
                met = self._next(state, working_type, target, falling=target > start, kept=kept)
            if met is None:
                break
            level, kind, number = met
            reference = target
            if path:
                reference = min(max(level, min(start, target)), max(start, target))
                state.quote = state.spread_book(reference, self._matcher.now_us)
            if kind == LIMIT:
                self._matcher.fill_resting(self._matcher.registry.orders[number], state)
            else:
                conditional = self._matcher.registry.conditionals[number]
                if not self._conditionals.trigger(conditional, state, reference):
                    kept.add(number)
        state.quote = quote
        for conditional in list(resting.trailing.values()):
            if conditional.watched == working_type:
                was_active = conditional.activated
                if ratchet(conditional, target):
                    self._matcher.touch(conditional)
                    if not was_active:
                        self._matcher.tell_conditional(conditional)

    def _next(
        self,
        state: MarketState,
        working_type: str,
        target: Decimal,
        *,
        falling: bool,
        kept: set[int],
    ) -> Meeting | None:
        """The order that a price falling (or rising) to `target` meets first."""
        resting = state.resting
        sign = 1 if falling else -1
        found: Meeting | None = None
        ladder = resting.ladder(working_type, falling=falling)
        if ladder.reached(target):
            rung = ladder.nearest(kept)
            if rung is not None and sign * (rung[0] - target) >= 0:
                found = (rung[0], CONDITIONAL, rung[1])
        for conditional in resting.trailing.values():
            if (
                conditional.watched != working_type
                or (conditional.side == "SELL") != falling
                or conditional.algo_id in kept
            ):
                continue
            level = trailing_level(conditional)
            if (
                level is not None
                and sign * (level - target) >= 0
                and (found is None or sign * (level - found[0]) > 0)
            ):
                found = (level, CONDITIONAL, conditional.algo_id)
        if working_type == "last":
            limits: Ladder = resting.buys if falling else resting.sells
            rung = limits.nearest()
            if (
                rung is not None
                and sign * (rung[0] - target) > 0
                and (found is None or sign * (rung[0] - found[0]) > 0)
            ):
                found = (rung[0], LIMIT, rung[1])
        return found
