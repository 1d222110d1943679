"""The true state of the local exchange: synchronous, deterministic, without I/O.

Time is moved by `advance` alone. Every call acts at the present time, tells its facts in the
order in which they happen, and shows the oracle the legs that it changed. Chance has no place
here: the same settings, tapes and calls give the same state and the same facts.
"""

from __future__ import annotations

import copy
import hashlib
from collections import Counter, deque
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from trailstop.paper import report
from trailstop.paper.accounts import Ledger
from trailstop.paper.amendments import Amendments, Change
from trailstop.paper.conditionals import Conditionals
from trailstop.paper.coverage import leg_view, position_of
from trailstop.paper.facts import Fact
from trailstop.paper.forced import Forced
from trailstop.paper.happenings import Happenings
from trailstop.paper.lifecycles import Lifecycles
from trailstop.paper.market_state import MarketState
from trailstop.paper.matching import Leg, Matcher
from trailstop.paper.model import (
    CLIENT,
    STOP_LOSS,
    USER,
    Account,
    Conditional,
    ConditionalRequest,
    Market,
    Order,
    OrderRequest,
    PositionStopRequest,
    Rejection,
    RejectKind,
)
from trailstop.paper.oracle import Oracle
from trailstop.paper.position_stops import PositionStops
from trailstop.paper.prices.tape import Print, Tape
from trailstop.paper.pricing import Pricing
from trailstop.paper.registry import Registry
from trailstop.paper.settings import WorldSettings


class World(Happenings):
    """The exchange itself. `facts` is drained by whoever serves it."""

    def __init__(
        self, settings: WorldSettings, tapes: Sequence[Tape], accounts: Sequence[str]
    ) -> None:
        self.settings = settings
        self.markets: dict[str, Market] = {tape.market.symbol: tape.market for tape in tapes}
        if len(self.markets) < len(tapes):
            raise ValueError("Give at most one source of prices for a market.")
        self.facts: deque[Fact] = deque()
        self._states = {tape.market.symbol: MarketState(tape, settings) for tape in tapes}
        self._ledger = Ledger(
            [_open_account(settings, name) for name in accounts], self.markets, self.mark
        )
        self.accounts: dict[str, Account] = self._ledger.accounts
        self._registry = Registry(tuple(self.accounts))
        self._matcher = Matcher(
            settings, self._ledger, self._registry, self._states, self.facts.append
        )
        self._conditionals = Conditionals(self._matcher)
        self._position_stops = PositionStops(self._matcher)
        self._amendments = Amendments(self._matcher)
        forced = Forced(self._matcher)
        self._pricing = Pricing(self._matcher, self._conditionals, forced)
        self._lifecycles = Lifecycles(self._matcher, forced)
        self.oracle = Oracle()
        self.foreign_ends: Counter[tuple[str, str]] = Counter()
        """By account and way (`request`, `amended`, `user`): how often a client or the user ended
        or changed an order that is not the guard's."""
        first = self._pricing.next_event_us()
        self.as_of_us: int | None = None
        """In a past that is read later, the time that it shows."""
        self.now_us = 0
        if first is not None:
            self.advance(first)

    # --- Time -----------------------------------------------------------------------------------

    def next_event_us(self) -> int | None:
        """Time of the next thing that happens by itself; None when the data is over."""
        moments = (self._pricing.next_event_us(), self._lifecycles.next_event_us())
        return min((moment for moment in moments if moment is not None), default=None)

    @property
    def data_over(self) -> bool:
        """Whether every tape has been read to its end."""
        return self._pricing.data_over

    def advance(self, to_us: int) -> None:
        """Let everything up to and including `to_us` happen, in time order."""
        assert to_us >= self.now_us, "virtual time never goes back"
        while True:
            moment = self.next_event_us()
            if moment is None or moment > to_us:
                break
            self._set_time(moment)
            self._lifecycles.happen(moment)
            self._pricing.happen(moment)
            self._show_oracle()
        self._set_time(to_us)

    # --- Requests of clients --------------------------------------------------------------------

    def place_order(self, key: str, request: OrderRequest) -> Order:
        """Place a plain order; raises Rejection, after which nothing has changed."""
        order = self._matcher.place(key, request)
        if self._is_guards(request.client_id):
            leg = (key, request.symbol, request.position_side)
            self.oracle.named(leg, "plain", request.client_id)
        self._show_oracle()
        return order

    def amend_order(
        self,
        key: str,
        symbol: str,
        order_id: int | None = None,
        client_id: str | None = None,
        *,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
    ) -> Order:
        """Change a resting limit order in place; what crosses the book then is filled.

        Raises Rejection: ORDER_NOT_FOUND, NOT_MODIFIED, POST_ONLY, MARGIN, filters.
        """
        change = Change(quantity=quantity, price=price)
        order = self._amendments.order(key, symbol, order_id, client_id, change)
        if not self._is_guards(order.client_id):
            self.foreign_ends[key, "amended"] += 1
        self._show_oracle()
        return order

    def cancel_order(
        self, key: str, symbol: str, order_id: int | None = None, client_id: str | None = None
    ) -> Order:
        """Cancel a resting plain order; raises Rejection(ORDER_NOT_FOUND)."""
        order = self._matcher.cancel(key, symbol, order_id, client_id)
        if not self._is_guards(order.client_id):
            self.foreign_ends[key, "request"] += 1
        self._show_oracle()
        return order

    def place_conditional(self, key: str, request: ConditionalRequest) -> Conditional:
        """Place a conditional order; raises Rejection, after which nothing has changed."""
        conditional = self._conditionals.place(key, request)
        self._watch(conditional)
        if self._is_guards(request.client_id):
            leg = (key, request.symbol, request.position_side)
            self.oracle.named(leg, "conditional", request.client_id)
        self._show_oracle(request.author)
        return conditional

    def amend_conditional(
        self,
        key: str,
        algo_id: int | None = None,
        client_id: str | None = None,
        *,
        trigger_price: Decimal | None = None,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
        working_type: str | None = None,
        author: str = CLIENT,
    ) -> Conditional:
        """Change a waiting conditional order in place, position stops by their id included.

        Raises Rejection: ORDER_NOT_FOUND, NOT_MODIFIED, WOULD_TRIGGER, BAND_CAP, BAND_FLOOR,
        filters.
        """
        change = Change(
            trigger_price=trigger_price,
            quantity=quantity,
            price=price,
            working_type=working_type,
        )
        foreign = self._is_foreign(self._registry.conditional(key, algo_id, client_id))
        conditional = self._amendments.conditional(key, algo_id, client_id, change, author)
        if foreign:
            self.foreign_ends[key, USER if author == USER else "amended"] += 1
        self._watch(conditional)
        self._show_oracle(author)
        return conditional

    def cancel_conditional(
        self, key: str, algo_id: int | None = None, client_id: str | None = None
    ) -> Conditional:
        """Cancel a waiting conditional order; raises Rejection(ORDER_NOT_FOUND)."""
        return self._cancel_conditional(key, algo_id, client_id, author=CLIENT)

    def set_position_stops(
        self, key: str, request: PositionStopRequest, author: str = CLIENT
    ) -> tuple[Conditional, ...]:
        """Set, move or remove a position's own stops; returns those that rest afterwards.

        Raises Rejection, after which nothing has changed: ZERO_POSITION, NOT_MODIFIED,
        STOP_WRONG_SIDE, TOO_MANY_PARTIALS, POSITION_SIDE, MARKET_HALTED, filters.
        """
        foreign = [
            row for row in self._position_stops.affected(key, request) if self._is_foreign(row)
        ]
        rows = self._position_stops.set(key, request, author)
        for row in foreign:
            if author == CLIENT and not row.live:
                self.foreign_ends[key, "request"] += 1
            elif row.author == CLIENT and row.slot != STOP_LOSS:
                # The stop loss is shared with the user by design: a client may move it.
                self.foreign_ends[key, "amended"] += 1
        for row in rows:
            self._watch(row)
        self._show_oracle(author)
        return rows

    def set_leverage(self, key: str, symbol: str, leverage: int) -> None:
        """Set the leverage of one market; raises Rejection(BAD_LEVERAGE)."""
        account = self._matcher.account(key)
        if not 1 <= leverage <= self._matcher.state(symbol).market.max_leverage:
            raise Rejection(RejectKind.BAD_LEVERAGE, f"Leverage {leverage} is not valid.")
        account.leverage[symbol] = leverage

    def set_position_mode(self, key: str, hedge: bool, symbol: str | None = None) -> None:
        """Switch one market, or with None all, between one-way and hedge mode.

        Needs them flat and without orders: raises Rejection(SAME_MODE, MODE_WITH_ORDERS,
        MODE_WITH_POSITION).
        """
        account = self._matcher.account(key)
        symbols = tuple(self.markets) if symbol is None else (symbol,)
        if all(account.hedge_of(name) == hedge for name in symbols):
            raise Rejection(RejectKind.SAME_MODE, "No need to change position side.")
        if any(
            self.open_orders(key, name) or self.open_conditionals(key, name) for name in symbols
        ):
            raise Rejection(
                RejectKind.MODE_WITH_ORDERS,
                "Position side cannot be changed if there exists open orders.",
            )
        if any(row.amount and row.symbol in symbols for row in account.positions.values()):
            raise Rejection(
                RejectKind.MODE_WITH_POSITION,
                "Position side cannot be changed if there exists position.",
            )
        if symbol is None:
            account.hedge = hedge
            account.hedge_symbols.clear()
        else:
            account.hedge_symbols[symbol] = hedge

    # --- Control --------------------------------------------------------------------------------

    def print_price(self, symbol: str, price: Decimal, book: bool = True) -> None:
        """Print a trade now, on the nearest tick; without `book` it is a stray print.

        A stray print is the last price until the next print, but moves neither book nor mark.
        """
        state = self._matcher.state(symbol)
        snapped = state.snap(price, ROUND_HALF_EVEN)
        if snapped <= 0:
            raise Rejection(RejectKind.BAD_PRICE, "Price less than or equal to zero.")
        if not book and state.settled_price is None:
            raise Rejection(RejectKind.NO_PRICE, f"{symbol} has no price yet.")
        falling = state.price is not None and snapped < state.price
        point = Print(self.now_us, snapped, state.market.min_quantity, falling)
        self._pricing.print(state, point, book=book, stray=not book)
        self._show_oracle()

    def remove_stop(self, algo_id: int) -> None:
        """Fault: the exchange cancels a waiting conditional order on its own."""
        if not self.end_stop(algo_id, "CANCELED"):
            raise Rejection(RejectKind.ORDER_NOT_FOUND, "Order does not exist.")

    def end_stop(self, algo_id: int, status: str, *, told: bool = True) -> bool:
        """Fault: the exchange ends a conditional order; without `told` nobody hears of it.

        False where it waits no more.
        """
        conditional = self._registry.conditionals.get(algo_id)
        if conditional is None or conditional.status != "NEW":
            return False
        self._matcher.end_conditional(conditional, status, "exchange")
        if not told:
            self.facts.pop()
        self._show_oracle()
        return True

    def end_order(self, order_id: int, status: str) -> bool:
        """Fault: the exchange ends a plain order of its own accord; False where it lives no more."""
        order = self._registry.orders.get(order_id)
        if order is None or not order.live:
            return False
        self._states[order.symbol].resting.remove_order(order)
        self._matcher.end_order(order, status, "exchange")
        self._show_oracle()
        return True

    def set_attended(self, attended: bool) -> None:
        """Say whether a guard runs; the age of a second stop is counted in that time only."""
        self.oracle.settle(self.now_us)
        self.oracle.attended = attended

    @property
    def reject_at_trigger(self) -> Callable[[Conditional], str | None] | None:
        """Fault: called at each trigger; a text makes the exchange refuse the child with it."""
        return self._conditionals.reject_at_trigger

    @reject_at_trigger.setter
    def reject_at_trigger(self, fault: Callable[[Conditional], str | None] | None) -> None:
        self._conditionals.reject_at_trigger = fault

    @property
    def holds_trigger(self) -> Callable[[Conditional], bool] | None:
        """Fault: called at each trigger; True keeps the order waiting."""
        return self._conditionals.holds_trigger

    @holds_trigger.setter
    def holds_trigger(self, fault: Callable[[Conditional], bool] | None) -> None:
        self._conditionals.holds_trigger = fault

    @property
    def stalls(self) -> Callable[[Order], bool] | None:
        """Fault: called with each accepted order; True leaves it unfilled."""
        return self._matcher.stalls

    @stalls.setter
    def stalls(self, fault: Callable[[Order], bool] | None) -> None:
        self._matcher.stalls = fault

    def past(self) -> World:
        """The accounts as they are now, to be read later; markets are shared and go on."""
        past = copy.copy(self)
        past.leave_present()
        return past

    def leave_present(self) -> None:
        """Keep the accounts as they are, whatever becomes of them elsewhere."""
        self._registry = self._registry.past()
        self._ledger = self._ledger.past()
        self.accounts = self._ledger.accounts
        self._matcher = copy.copy(self._matcher)
        self._matcher.ledger, self._matcher.registry = self._ledger, self._registry

    def truth(self) -> dict[str, Any]:
        """The whole true state with its clocks, ready for JSON; decimals as strings."""
        return report.truth(self)

    # --- Inside ---------------------------------------------------------------------------------

    def tapes(self) -> tuple[Tape, ...]:
        """Where each market's prices come from."""
        return tuple(state.tape for state in self._states.values())

    def _set_time(self, now_us: int) -> None:
        self.now_us = self._matcher.now_us = now_us

    def _is_guards(self, client_id: str) -> bool:
        return bool(client_id) and client_id.startswith(self.settings.guard_prefix)

    def _is_foreign(self, conditional: Conditional) -> bool:
        """Whether an order is not the guard's; position stops have no name to go by."""
        if conditional.slot:
            return conditional.author == USER
        return not self._is_guards(conditional.client_id)

    def _watch(self, conditional: Conditional) -> None:
        if conditional.watched == "mark":
            self._pricing.watch_mark(self._matcher.state(conditional.symbol))

    def _cancel_conditional(
        self, key: str, algo_id: int | None, client_id: str | None, *, author: str
    ) -> Conditional:
        foreign = self._is_foreign(self._registry.conditional(key, algo_id, client_id))
        conditional = self._conditionals.cancel(key, algo_id, client_id)
        conditional.author = author
        if foreign:
            self.foreign_ends[key, USER if author == USER else "request"] += 1
        self._show_oracle(author)
        return conditional

    def _show_oracle(self, author: str = CLIENT) -> None:
        """Let the oracle see what changed, and whether it was a person who changed it."""
        touched = self._matcher.touched
        if not touched:
            return
        legs: list[Leg] = list(touched)
        touched.clear()
        for leg in legs:
            view = leg_view(
                leg,
                position_of(leg, self.accounts),
                self._registry,
                self.markets[leg[1]],
                self.settings.guard_prefix,
            )
            self.oracle.observe(leg, view, self.now_us, by_user=author == USER)


def _open_account(settings: WorldSettings, name: str) -> Account:
    """An account whose keys are a function of seed and name, so that runs can be repeated."""
    key, secret = (
        hashlib.sha256(f"{settings.seed}:{name}:{part}".encode()).hexdigest()
        for part in ("key", "secret")
    )
    return Account(
        key=key,
        secret=secret,
        name=name,
        wallet=settings.wallet,
        starting_wallet=settings.wallet,
        taker_fee=settings.taker_fee,
        maker_fee=settings.maker_fee,
        default_leverage=settings.leverage,
    )
