"""The accounts' books: fills, positions, wallets, fees, funding, margin and epochs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_EVEN, Decimal

from msgspec import Struct

from trailstop.paper.model import (
    ZERO,
    Account,
    Epoch,
    Fill,
    Income,
    Market,
    Order,
    Position,
)

MONEY_GRID = Decimal("1e-8")
"""Money is booked to eight decimals, as in the exchanges' ledgers."""
AVERAGE_DIGITS = 6
"""Average prices keep this many decimals more than the tick."""


def booked(amount: Decimal) -> Decimal:
    """Round an amount of money to the grid of the ledger."""
    return amount.quantize(MONEY_GRID, ROUND_HALF_EVEN)


def averaged(notional: Decimal, quantity: Decimal, market: Market) -> Decimal:
    """Average price, rounded to `AVERAGE_DIGITS` decimals beyond the tick; zero for nothing."""
    if not quantity:
        return ZERO
    exponent = market.tick_size.as_tuple().exponent
    assert isinstance(exponent, int), "a tick is a finite number"
    grid = Decimal((0, (1,), min(exponent, 0) - AVERAGE_DIGITS))
    return (notional / quantity).quantize(grid, ROUND_HALF_EVEN)


class _Part(Struct, frozen=True):
    """The part of an execution that opens, or the part that closes."""

    price: Decimal
    quantity: Decimal
    fee: Decimal


class _Source(Struct, frozen=True):
    """Where a line of the ledger comes from: a moment, and the trade if there was one."""

    time_us: int
    trade_id: int | None = None


class Ledger:
    """Every account's money and positions. Decides nothing: matching says what was filled."""

    def __init__(
        self,
        accounts: Iterable[Account],
        markets: dict[str, Market],
        mark_of: Callable[[str], Decimal],
    ) -> None:
        self.accounts = {account.key: account for account in accounts}
        self.fills: dict[str, list[Fill]] = {key: [] for key in self.accounts}
        self.incomes: dict[str, list[Income]] = {key: [] for key in self.accounts}
        self._markets = markets
        self._mark_of = mark_of
        self._trade_id = 0
        self._income_id = 0
        self._epoch = 0

    def past(self) -> Ledger:
        """The books as they are now, whatever is booked later; marks go on."""
        past = copy.copy(self)
        past.accounts = {key: _past_account(row) for key, row in self.accounts.items()}
        past.fills = {key: list(rows) for key, rows in self.fills.items()}
        past.incomes = {key: list(rows) for key, rows in self.incomes.items()}
        return past

    def position(self, account: Account, symbol: str, position_side: str) -> Position:
        """The leg's position; a flat one that is kept nowhere if it was never opened."""
        position = account.positions.get((symbol, position_side))
        if position is None:
            position = Position(account=account.key, symbol=symbol, position_side=position_side)
        return position

    def apply(
        self, order: Order, price: Decimal, quantity: Decimal, *, maker: bool, now_us: int
    ) -> Fill:
        """Book one execution of `order`; a flip closes one epoch and opens the next."""
        account = self.accounts[order.account]
        market = self._markets[order.symbol]
        position = self.position(account, order.symbol, order.position_side)
        account.positions[order.symbol, order.position_side] = position
        signed = quantity if order.side == "BUY" else -quantity
        rate = account.maker_fee if maker else account.taker_fee
        fee = booked(price * quantity * rate)
        closing = min(quantity, abs(position.amount)) if position.amount * signed < 0 else ZERO
        realized = ZERO
        self._trade_id += 1
        fee_left = fee
        if closing:
            direction = 1 if position.amount > 0 else -1
            realized = booked((price - position.entry_price) * closing * direction)
            closing_fee = fee if closing == quantity else booked(price * closing * rate)
            fee_left -= closing_fee
            part = _Part(price, closing, closing_fee)
            self._reduce(position, order, part, realized, now_us)
        if quantity > closing:
            part = _Part(price, quantity - closing, fee_left)
            self._increase(position, order, part, now_us)
        account.wallet += realized - fee
        fill = Fill(
            trade_id=self._trade_id,
            order_id=order.order_id,
            client_id=order.client_id,
            account=account.key,
            symbol=order.symbol,
            side=order.side,
            position_side=order.position_side,
            price=price,
            quantity=quantity,
            fee=fee,
            fee_asset=market.quote,
            realized=realized,
            maker=maker,
            time_us=now_us,
        )
        self.fills[account.key].append(fill)
        source = _Source(now_us, fill.trade_id)
        if closing:
            self._book(account, market, "REALIZED_PNL", realized, source)
        self._book(account, market, "COMMISSION", -fee, source)
        return fill

    def withdraw(self, account: Account, amount: Decimal, now_us: int) -> None:
        """Take money out of a wallet."""
        account.wallet -= amount
        self._income_id += 1
        self.incomes[account.key].append(
            Income(
                income_id=self._income_id,
                account=account.key,
                symbol="",
                kind="TRANSFER",
                amount=-amount,
                asset=next(iter(self._markets.values())).quote,
                time_us=now_us,
            )
        )

    def settle_funding(self, symbol: str, rate: Decimal, now_us: int) -> list[Position]:
        """Exchange one funding payment on every open position of the market, at its mark."""
        market = self._markets[symbol]
        mark = self._mark_of(symbol)
        paid = []
        for account in self.accounts.values():
            for position in account.positions.values():
                if position.symbol != symbol or not position.amount:
                    continue
                payment = booked(-position.amount * mark * rate)
                position.funding += payment
                position.updated_us = now_us
                account.wallet += payment
                self._book(account, market, "FUNDING_FEE", payment, _Source(now_us))
                paid.append(position)
        return paid

    def unrealized(self, position: Position) -> Decimal:
        """Result of closing the position at its mark, without fees."""
        if not position.amount:
            return ZERO
        return position.amount * (self._mark_of(position.symbol) - position.entry_price)

    def maintenance(self, position: Position) -> Decimal:
        """Margin below which the account's equity must not fall for this position."""
        rate = self._markets[position.symbol].maintenance_rate
        return abs(position.amount) * self._mark_of(position.symbol) * rate

    def available(self, account: Account) -> Decimal:
        """Equity that no open position uses as initial margin; may be negative."""
        free = account.wallet
        for position in account.positions.values():
            if position.amount:
                notional = abs(position.amount) * self._mark_of(position.symbol)
                free += self.unrealized(position)
                free -= notional / account.leverage_of(position.symbol)
        return free

    def must_liquidate(self, account: Account, symbol: str, mark: Decimal) -> bool:
        """Whether equity does not exceed all maintenance margin, with `mark` for the symbol."""
        equity = account.wallet
        needed = ZERO
        for position in account.positions.values():
            if position.amount:
                price = mark if position.symbol == symbol else self._mark_of(position.symbol)
                rate = self._markets[position.symbol].maintenance_rate
                equity += position.amount * (price - position.entry_price)
                needed += abs(position.amount) * price * rate
        return needed > 0 and equity <= needed

    def exposed(self, symbol: str) -> list[Account]:
        """Accounts with an open position in the market, in their fixed order."""
        return [
            account
            for account in self.accounts.values()
            if any(p.amount and p.symbol == symbol for p in account.positions.values())
        ]

    def liquidation_price(self, position: Position) -> Decimal:
        """Mark at which equity equals maintenance with all other marks standing still.

        One maintenance rate without brackets: for signed size a, entry E, rate m, wallet W and
        result U and maintenance M of the other positions, (a·E − W − U + M) / (a − |a|·m).
        Zero means that no positive price liquidates.
        """
        if not position.amount:
            return ZERO
        account = self.accounts[position.account]
        market = self._markets[position.symbol]
        top = position.amount * position.entry_price - account.wallet
        for other in account.positions.values():
            if other is not position and other.amount:
                top += self.maintenance(other) - self.unrealized(other)
        price = top / (position.amount - abs(position.amount) * market.maintenance_rate)
        return averaged(price, Decimal(1), market) if price > 0 else ZERO

    def _increase(self, position: Position, order: Order, part: _Part, now_us: int) -> None:
        market = self._markets[order.symbol]
        if not position.amount:
            self._epoch += 1
            position.epoch = self._epoch
            position.opened_us = now_us
            position.opened_by = order.client_id
            position.entered_quantity = position.entered_notional = ZERO
            position.exited_quantity = position.exited_notional = ZERO
            position.realized = position.fees = position.funding = ZERO
            position.entry_price = ZERO
        held = abs(position.amount)
        notional = position.entry_price * held + part.price * part.quantity
        position.entry_price = averaged(notional, held + part.quantity, market)
        position.amount += part.quantity if order.side == "BUY" else -part.quantity
        position.entered_quantity += part.quantity
        position.entered_notional += part.price * part.quantity
        position.fees += part.fee
        position.updated_us = now_us

    def _reduce(
        self, position: Position, order: Order, part: _Part, realized: Decimal, now_us: int
    ) -> None:
        was_long = position.amount > 0
        position.amount += part.quantity if order.side == "BUY" else -part.quantity
        position.exited_quantity += part.quantity
        position.exited_notional += part.price * part.quantity
        position.realized += realized
        position.fees += part.fee
        position.updated_us = now_us
        if position.amount:
            return
        market = self._markets[position.symbol]
        self.accounts[position.account].epochs.append(
            Epoch(
                account=position.account,
                symbol=position.symbol,
                position_side=position.position_side,
                side="long" if was_long else "short",
                epoch=position.epoch,
                quantity=position.entered_quantity,
                entry_price=averaged(position.entered_notional, position.entered_quantity, market),
                exit_price=averaged(position.exited_notional, position.exited_quantity, market),
                opened_us=position.opened_us,
                closed_us=now_us,
                realized=position.realized,
                fees=position.fees,
                funding=position.funding,
                result=position.realized - position.fees + position.funding,
                opened_by=position.opened_by,
                closed_by=order.client_id,
                closed_kind="order" if order.source == "plain" else order.source,
                closed_algo_id=order.algo_id,
            )
        )
        position.entry_price = ZERO

    def _book(
        self, account: Account, market: Market, kind: str, amount: Decimal, source: _Source
    ) -> None:
        self._income_id += 1
        self.incomes[account.key].append(
            Income(
                income_id=self._income_id,
                account=account.key,
                symbol=market.symbol,
                kind=kind,
                amount=amount,
                asset=market.quote,
                time_us=source.time_us,
                trade_id=source.trade_id,
            )
        )


def _past_account(account: Account) -> Account:
    past = copy.copy(account)
    past.hedge_symbols = dict(account.hedge_symbols)
    past.leverage = dict(account.leverage)
    past.positions = {leg: copy.copy(row) for leg, row in account.positions.items()}
    past.epochs = list(account.epochs)
    return past
