"""What the exchange does of its own accord to positions and markets, on command."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from trailstop.paper.conversion import MarketChange, change_market
from trailstop.paper.facts import AccountChanged, MarketChanged
from trailstop.paper.forced import Forced
from trailstop.paper.market_state import MarketState
from trailstop.paper.matching import Matcher
from trailstop.paper.model import (
    CLOSED,
    HALTED,
    SETTLING,
    ZERO,
    Fill,
    Position,
    Rejection,
    RejectKind,
)


class Lifecycles:
    """Liquidation, ADL, halts, delisting, settlement, changed contracts and withdrawals."""

    def __init__(self, matcher: Matcher, forced: Forced) -> None:
        self._matcher = matcher
        self._forced = forced
        self._halted: dict[str, str] = {}
        """Status that a halted market goes back to."""
        self._resume_us: dict[str, int] = {}

    def next_event_us(self) -> int | None:
        """When a halt ends by itself next."""
        return min(self._resume_us.values(), default=None)

    def happen(self, moment: int) -> None:
        """End the halts that are over at this instant."""
        for symbol in [name for name, end in self._resume_us.items() if end <= moment]:
            self.resume(symbol)

    def liquidate(self, key: str, symbol: str, position_side: str) -> Fill:
        """Take a position over at the mark after cancelling what rests on its leg."""
        position = self._held(key, symbol, position_side)
        self._forced.cancel(key, symbol, position_side, "liquidation")
        return self._forced.close(position, "liquidation", price=self._mark(symbol))

    def deleverage(
        self, key: str, symbol: str, position_side: str, quantity: Decimal | None
    ) -> Fill:
        """Reduce a position at the mark; its orders stay."""
        position = self._held(key, symbol, position_side)
        held = abs(position.amount)
        wanted = held if quantity is None else quantity
        if not 0 < wanted <= held:
            raise Rejection(
                RejectKind.BAD_QUANTITY, f"Give a quantity above 0 and up to the position's {held}."
            )
        return self._forced.close(position, "adl", price=self._mark(symbol), quantity=wanted)

    def delist(self, symbol: str) -> None:
        """Let a market take nothing but what reduces."""
        state = self._state(symbol)
        self._end_halt(symbol)
        self._set_status(state, SETTLING)

    def settle(self, symbol: str, price: Decimal | None) -> None:
        """Cancel every order and close every position of a market, then the market itself."""
        state = self._state(symbol)
        if price is not None and price <= 0:
            raise Rejection(RejectKind.BAD_PRICE, "Price less than or equal to zero.")
        at = self._mark(symbol) if price is None else state.snap(price, ROUND_HALF_EVEN)
        self._end_halt(symbol)
        for account in self._matcher.ledger.accounts.values():
            self._forced.cancel(account.key, symbol, None, "settlement")
            for position in list(account.positions.values()):
                if position.symbol == symbol and position.amount:
                    self._forced.close(position, "settlement", price=at)
        self._set_status(state, CLOSED)

    def halt(self, symbol: str, until_us: int | None) -> None:
        """Refuse every new or changed order of a market."""
        state = self._state(symbol)
        if until_us is not None and until_us <= self._matcher.now_us:
            raise Rejection(
                RejectKind.BAD_PARAMETER, "A halt ends after the present time; give a later one."
            )
        self._resume_us.pop(symbol, None)
        if until_us is not None:
            self._resume_us[symbol] = until_us
        if state.market.status != HALTED:
            self._halted[symbol] = state.market.status
            self._set_status(state, HALTED)

    def resume(self, symbol: str) -> None:
        """End a halt."""
        state = self._state(symbol)
        before = self._end_halt(symbol)
        if before is not None:
            self._set_status(state, before)

    def change_market(self, symbol: str, change: MarketChange) -> None:
        """Change filters or contract of a market and tell of it."""
        state = self._state(symbol)
        change_market(self._matcher, state, change)
        self._matcher.tell(MarketChanged(symbol, self._matcher.now_us))

    def withdraw(self, key: str, amount: Decimal) -> None:
        """Take money out of an account that its positions do not need."""
        account = self._matcher.account(key)
        if not amount.is_finite() or amount <= 0:
            raise Rejection(RejectKind.BAD_PARAMETER, "Give an amount above 0.")
        if amount > self._matcher.ledger.available(account):
            raise Rejection(RejectKind.MARGIN, "Margin is insufficient.")
        self._matcher.ledger.withdraw(account, amount, self._matcher.now_us)
        self._matcher.tell(
            AccountChanged(key, "WITHDRAW", (), account.wallet, self._matcher.now_us)
        )

    def _state(self, symbol: str) -> MarketState:
        """A market that is not over."""
        state = self._matcher.state(symbol)
        if state.market.status == CLOSED:
            raise Rejection(RejectKind.MARKET_CLOSED, f"{symbol} is closed.")
        return state

    def _held(self, key: str, symbol: str, position_side: str) -> Position:
        self._state(symbol)
        account = self._matcher.account(key)
        position = self._matcher.ledger.position(account, symbol, position_side)
        if position.amount == ZERO:
            raise Rejection(
                RejectKind.ZERO_POSITION, f"There is no {position_side} position in {symbol}."
            )
        return position

    def _mark(self, symbol: str) -> Decimal:
        """The mark on the tick, as an execution needs it."""
        state = self._matcher.state(symbol)
        snapped = state.snap(state.mark(self._matcher.now_us), ROUND_HALF_EVEN)
        return max(snapped, state.market.tick_size)

    def _end_halt(self, symbol: str) -> str | None:
        self._resume_us.pop(symbol, None)
        return self._halted.pop(symbol, None)

    def _set_status(self, state: MarketState, status: str) -> None:
        state.market.status = status
        self._matcher.tell(MarketChanged(state.market.symbol, self._matcher.now_us))
