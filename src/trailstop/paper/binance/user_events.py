"""Facts about accounts, as the events of their user data streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trailstop.paper.binance import events
from trailstop.paper.binance.listenkeys import ListenKeys
from trailstop.paper.chance import chance
from trailstop.paper.exchange import Exchange
from trailstop.paper.facts import AccountChanged, ConditionalChanged, Fact, OrderChanged

ALGO_FIRST_BELOW = 1 / 3
ALGO_LAST_BELOW = 2 / 3


class UserEvents:
    """Spells facts for those accounts that have a listen key.

    Orders and conditional orders come from different services of the real exchange, so the
    order between their events is left to chance; within each kind it is kept.
    """

    def __init__(self, exchange: Exchange, listen_keys: ListenKeys) -> None:
        self._exchange = exchange
        self._listen_keys = listen_keys

    def of(self, facts: Sequence[Fact]) -> Iterator[tuple[str, events.Event]]:
        """Account and event, in the order in which they are sent."""
        moment: dict[str, list[OrderChanged | AccountChanged | ConditionalChanged]] = {}
        moment_us = 0
        for fact in facts:
            if not isinstance(fact, OrderChanged | AccountChanged | ConditionalChanged):
                continue
            if fact.time_us != moment_us:
                yield from self._spell(moment, moment_us)
                moment, moment_us = {}, fact.time_us
            if self._listen_keys.key_of(fact.account) is not None:
                moment.setdefault(fact.account, []).append(fact)
        yield from self._spell(moment, moment_us)

    def _spell(
        self,
        moment: dict[str, list[OrderChanged | AccountChanged | ConditionalChanged]],
        moment_us: int,
    ) -> Iterator[tuple[str, events.Event]]:
        for account, facts in moment.items():
            name = self._exchange.world.accounts[account].name
            drawn = chance(self._exchange.seed, "algo_order", name, moment_us)
            algo = [fact for fact in facts if isinstance(fact, ConditionalChanged)]
            others = [fact for fact in facts if not isinstance(fact, ConditionalChanged)]
            ordered = facts
            if drawn < ALGO_FIRST_BELOW:
                ordered = [*algo, *others]
            elif drawn < ALGO_LAST_BELOW:
                ordered = [*others, *algo]
            for fact in ordered:
                yield from ((account, event) for event in self._events(fact))

    def _events(
        self, fact: OrderChanged | AccountChanged | ConditionalChanged
    ) -> Iterator[events.Event]:
        match fact:
            case ConditionalChanged():
                yield events.algo_update(fact)
            case OrderChanged():
                if fact.fill is not None:
                    yield events.trade_lite(fact)
                yield events.order_update(fact)
            case AccountChanged():
                world = self._exchange.world
                marks = {row.symbol: world.mark(row.symbol) for row in fact.positions}
                yield events.account_update(fact, marks)
