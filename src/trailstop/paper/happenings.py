"""What people and the exchange itself do to positions: the world's side doors, for tests.

Nothing here has a request on the wire. Each call acts at the present time, like a request of a
client, and is shown to the oracle in the same way; what a person does is marked as theirs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from trailstop.paper.conversion import MarketChange
from trailstop.paper.coverage import position_of
from trailstop.paper.lifecycles import Lifecycles
from trailstop.paper.model import (
    USER,
    Conditional,
    Fill,
    OrderRequest,
    PositionStopRequest,
    Rejection,
    RejectKind,
)
from trailstop.paper.oracle import Oracle
from trailstop.paper.pricing import Pricing
from trailstop.paper.reading import Reading


class Happenings(Reading, ABC):
    """The half of `World` that clients cannot reach."""

    oracle: Oracle
    _lifecycles: Lifecycles
    _pricing: Pricing
    _user_orders = 0

    # --- People ---------------------------------------------------------------------------------

    def open_position(
        self,
        key: str,
        symbol: str,
        side: Literal["long", "short"],
        quantity: Decimal | None = None,
        tag: str = "",
    ) -> Fill:
        """The user opens, or adds to, a position at market; by default `notional` of it."""
        state = self._matcher.state(symbol)
        if quantity is None:
            quantity = state.snap_quantity(self._matcher.settings.notional / state.last)
        hedge = self._matcher.account(key).hedge_of(symbol)
        return self._user_order(
            key,
            OrderRequest(
                symbol=symbol,
                side="BUY" if side == "long" else "SELL",
                type="MARKET",
                position_side=("LONG" if side == "long" else "SHORT") if hedge else "BOTH",
                quantity=quantity,
                client_id=self._user_id(tag),
            ),
        )

    def close_position(
        self, key: str, symbol: str, position_side: str = "BOTH", tag: str = ""
    ) -> Fill:
        """The user closes a position at market; raises Rejection(REDUCE_ONLY) when flat."""
        position = position_of((key, symbol, position_side), self._ledger.accounts)
        if not position.amount:
            raise Rejection(RejectKind.REDUCE_ONLY, "ReduceOnly Order is rejected.")
        return self._user_order(
            key,
            OrderRequest(
                symbol=symbol,
                side="SELL" if position.amount > 0 else "BUY",
                type="MARKET",
                position_side=position_side,
                quantity=abs(position.amount),
                reduce_only=position_side == "BOTH",
                client_id=self._user_id(tag),
            ),
        )

    def change_position_stop(
        self, key: str, request: PositionStopRequest
    ) -> tuple[Conditional, ...]:
        """The user sets, moves or removes the position's own stops by hand."""
        return self.set_position_stops(key, request, author=USER)

    def cancel_as_user(self, key: str, algo_id: int) -> Conditional:
        """The user cancels a waiting conditional order, whoever placed it."""
        return self._cancel_conditional(key, algo_id, None, author=USER)

    def amend_as_user(
        self,
        key: str,
        algo_id: int,
        *,
        trigger_price: Decimal | None = None,
        quantity: Decimal | None = None,
        price: Decimal | None = None,
        working_type: str | None = None,
    ) -> Conditional:
        """The user changes a waiting conditional order, whoever placed it; it is theirs then."""
        return self.amend_conditional(
            key,
            algo_id,
            trigger_price=trigger_price,
            quantity=quantity,
            price=price,
            working_type=working_type,
            author=USER,
        )

    def withdraw(self, key: str, amount: Decimal) -> None:
        """Take money out of the wallet; Rejection(MARGIN) for more than is available."""
        self._lifecycles.withdraw(key, amount)
        # The liquidation price has come nearer, so the mark may matter where it did not.
        for position in self.positions(key):
            if position.amount:
                self._pricing.watch_mark(self._matcher.state(position.symbol))

    # --- The exchange ---------------------------------------------------------------------------

    def liquidate(self, key: str, symbol: str, position_side: str = "BOTH") -> Fill:
        """Take one position over at the mark, after cancelling all that rests on its leg.

        Raises Rejection(ZERO_POSITION) when flat.
        """
        fill = self._lifecycles.liquidate(key, symbol, position_side)
        self._show_oracle()
        return fill

    def deleverage(
        self, key: str, symbol: str, position_side: str = "BOTH", quantity: Decimal | None = None
    ) -> Fill:
        """Reduce one position at the mark (ADL), by default to nothing; its orders stay.

        Raises Rejection(ZERO_POSITION) when flat.
        """
        fill = self._lifecycles.deleverage(key, symbol, position_side, quantity)
        self._show_oracle()
        return fill

    def delist(self, symbol: str) -> None:
        """Announce a market's end: nothing may open any more, what reduces still works."""
        self._lifecycles.delist(symbol)

    def settle(self, symbol: str, price: Decimal | None = None) -> None:
        """End a market: cancel every order, close every position at `price`, else the mark."""
        self._lifecycles.settle(symbol, price)
        self._show_oracle()

    def halt(self, symbol: str, until_us: int | None = None) -> None:
        """Refuse every new or changed order of a market, for good or until a time.

        Prices go on, what rests keeps working, and it can be cancelled.
        """
        self._lifecycles.halt(symbol, until_us)

    def resume(self, symbol: str) -> None:
        """End a halt; nothing happens where there is none."""
        self._lifecycles.resume(symbol)

    def change_market(
        self,
        symbol: str,
        *,
        tick_size: Decimal | None = None,
        step_size: Decimal | None = None,
        max_market_quantity: Decimal | None = None,
        multiplier: Decimal | None = None,
    ) -> None:
        """Change a market's filters, or its contract; raises Rejection(BAD_PARAMETER).

        With `multiplier` m one old contract becomes m new ones: prices, past and to come, are
        divided by m, quantities multiplied, positions and what rests converted; tick and step
        follow unless they are given.
        """
        change = MarketChange(
            tick_size=tick_size,
            step_size=step_size,
            max_market_quantity=max_market_quantity,
            multiplier=multiplier,
        )
        self.oracle.settle(self.now_us)
        self._lifecycles.change_market(symbol, change)
        if multiplier is not None:
            state = self._matcher.state(symbol)
            self.oracle.convert(
                symbol,
                multiplier,
                lambda price: state.snap(price / multiplier, ROUND_HALF_EVEN),
            )
        self._show_oracle()

    # --- Inside ---------------------------------------------------------------------------------

    @abstractmethod
    def set_position_stops(
        self, key: str, request: PositionStopRequest, author: str = ...
    ) -> tuple[Conditional, ...]:
        """See `World`."""

    @abstractmethod
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
        author: str = ...,
    ) -> Conditional:
        """See `World`."""

    @abstractmethod
    def _cancel_conditional(
        self, key: str, algo_id: int | None, client_id: str | None, *, author: str
    ) -> Conditional: ...

    @abstractmethod
    def _show_oracle(self, author: str = ...) -> None: ...

    def _user_id(self, tag: str) -> str:
        self._user_orders += 1
        return f"user-{tag or self._user_orders}"

    def _user_order(self, key: str, request: OrderRequest) -> Fill:
        self._matcher.place(key, request)
        self._show_oracle()
        return self._ledger.fills[key][-1]
