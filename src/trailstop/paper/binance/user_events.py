"""Facts about accounts, as the events of their user data streams."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from trailstop.paper.binance import events
from trailstop.paper.binance.account_routes import HEDGE_SIDES
from trailstop.paper.binance.listenkeys import ListenKeys
from trailstop.paper.chance import chance
from trailstop.paper.exchange import Exchange
from trailstop.paper.facts import AccountChanged, ConditionalChanged, Fact, OrderChanged
from trailstop.paper.model import ZERO, Position
from trailstop.paper.moments import AccountFact, by_moment

FUNDING = "FUNDING_FEE"
LEDGER_KINDS = {FUNDING: FUNDING, "WITHDRAW": "TRANSFER"}
"""Reasons of an account event that move money besides trading, and their lines in the ledger."""
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
        self._settled: tuple[str, str | None, int] | None = None

    def of(self, facts: Sequence[Fact]) -> Iterator[tuple[str, events.Event]]:
        """Account and event, in the order in which they are sent."""
        for moment_us, account, told in by_moment(facts, self._listens):
            for fact in self._ordered(account, told, moment_us):
                yield from ((account, event) for event in self._events(fact))

    def _listens(self, account: str) -> bool:
        return self._listen_keys.key_of(account) is not None

    def _ordered(
        self, account: str, facts: Sequence[AccountFact], moment_us: int
    ) -> Sequence[AccountFact]:
        name = self._exchange.world.accounts[account].name
        drawn = chance(self._exchange.seed, "algo_order", name, moment_us)
        algo = [fact for fact in facts if isinstance(fact, ConditionalChanged)]
        others = [fact for fact in facts if not isinstance(fact, ConditionalChanged)]
        if drawn < ALGO_FIRST_BELOW:
            return [*algo, *others]
        if drawn < ALGO_LAST_BELOW:
            return [*others, *algo]
        return facts

    def _events(self, fact: AccountFact) -> Iterator[events.Event]:
        match fact:
            case ConditionalChanged():
                yield events.algo_update(fact)
            case OrderChanged():
                if fact.fill is not None:
                    yield events.trade_lite(fact)
                yield events.order_update(fact)
            case AccountChanged():
                if fact.reason != FUNDING or self._told_first(fact):
                    yield self._account_update(fact)

    def _told_first(self, fact: AccountChanged) -> bool:
        """Whether this is the first fact of a settlement; one event tells that of both legs."""
        last, self._settled = self._settled, (fact.account, _symbol(fact), fact.time_us)
        return last != self._settled

    def _account_update(self, fact: AccountChanged) -> events.Event:
        world = self._exchange.world
        rows = fact.positions
        if fact.reason == FUNDING:
            # All margin is crossed here, and funding of a crossed position lists none.
            rows = ()
        elif world.accounts[fact.account].hedge:
            rows = tuple(leg for row in rows for leg in self._legs(row))
        marks = {row.symbol: world.mark(row.symbol) for row in rows}
        return events.account_update(fact, rows, marks, self._change(fact))

    def _change(self, fact: AccountChanged) -> Decimal:
        """What went in or out of the wallet, results and commissions left out."""
        kind = LEDGER_KINDS.get(fact.reason)
        if kind is None:
            return ZERO
        lines = self._exchange.world.income(
            fact.account, None, kind, start_us=fact.time_us, end_us=fact.time_us
        )
        symbol = _symbol(fact)
        return sum((line.amount for line in lines if symbol in {None, line.symbol}), ZERO)

    def _legs(self, changed: Position) -> list[Position]:
        """All rows of a symbol in hedge mode: what changed, the other leg, an empty BOTH."""
        known = {
            row.position_side: row
            for row in self._exchange.world.positions(changed.account, changed.symbol)
        } | {changed.position_side: changed}
        return [
            known.get(side)
            or Position(account=changed.account, symbol=changed.symbol, position_side=side)
            for side in HEDGE_SIDES
        ]


def _symbol(fact: AccountChanged) -> str | None:
    return fact.positions[0].symbol if fact.positions else None
