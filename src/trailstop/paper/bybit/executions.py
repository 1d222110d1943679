"""What filled, as this exchange books it: closing parts, shares of opening fees, funding.

The world's fills do not say how much of them closed, so each leg's size and the fees of its
opening are followed here, fill by fill.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from trailstop.paper.exchange import Exchange
from trailstop.paper.facts import AccountChanged, Fact, OrderChanged
from trailstop.paper.model import ZERO, Fill, Income, Order, Position

FUNDING_FEE = "FUNDING_FEE"
WITHDRAW = "WITHDRAW"
ADJUSTMENT = "ADJUSTMENT"
FIRST_FUNDING_ID = 1 << 64
"""Executions are numbered by trade; those of funding have numbers of their own."""


class Execution(Struct, frozen=True, kw_only=True):
    """One execution of an account; one of funding has no order."""

    number: int
    symbol: str
    side: str
    position_side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_rate: Decimal
    time_us: int
    mark: Decimal
    wallet: Decimal
    """The account's wallet after it."""
    size: Decimal
    """Signed size of the position after it."""
    order: Order | None = None
    """The order as it was after the fill."""
    maker: bool = False
    realized: Decimal = ZERO
    """Result of the closing part, without fees."""
    closed: Decimal = ZERO
    """Quantity by which the position became smaller."""
    open_fee: Decimal = ZERO
    """Share of the fees that opening the closed part had cost."""
    close_fee: Decimal = ZERO
    """Share of `fee` that the closing part cost."""


class _Leg(Struct):
    size: Decimal = ZERO
    """Signed."""
    open_fees: Decimal = ZERO


class Executions:
    """The executions of every account, in the order in which they happened."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._of: dict[str, list[Execution]] = {}
        self._by_number: dict[int, Execution] = {}
        self._by_order: dict[int, list[Execution]] = {}
        self._legs: dict[tuple[str, str, str], _Leg] = {}
        self._wallets: dict[str, Decimal] = {}
        self._fundings = 0
        exchange.listen(self._hear)

    def of(self, key: str) -> Sequence[Execution]:
        """All executions of an account, oldest first."""
        return self._known(self._of.get(key, ()))

    def of_fill(self, fill: Fill) -> Execution:
        """The execution of a fill that has been told."""
        return self._by_number[fill.trade_id]

    def of_order(self, order_id: int) -> Sequence[Execution]:
        """The executions of an order, by the world's number."""
        return self._known(self._by_order.get(order_id, ()))

    def _known(self, rows: Sequence[Execution]) -> Sequence[Execution]:
        """Those that a read knows of, which may lag behind."""
        as_of_us = self._exchange.world.as_of_us
        return rows if as_of_us is None else [row for row in rows if row.time_us <= as_of_us]

    def _hear(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            if isinstance(fact, OrderChanged) and fact.fill is not None:
                self._fill(fact.fill, fact.order)
            elif isinstance(fact, AccountChanged):
                self._account(fact)

    def _account(self, fact: AccountChanged) -> None:
        if fact.reason == WITHDRAW:
            self._wallets[fact.account] = fact.wallet
        for position in fact.positions:
            if fact.reason == FUNDING_FEE:
                self._funding(position, fact)
            elif fact.reason == ADJUSTMENT:
                # The contract was converted: one old is several new ones.
                self._leg(fact.account, position).size = position.amount

    def _leg(self, key: str, on: Fill | Position) -> _Leg:
        return self._legs.setdefault((key, on.symbol, on.position_side), _Leg())

    def _fill(self, fill: Fill, order: Order) -> None:
        leg = self._leg(fill.account, fill)
        signed = fill.quantity if fill.side == "BUY" else -fill.quantity
        closed = min(fill.quantity, abs(leg.size)) if leg.size * signed < 0 else ZERO
        close_fee = fill.fee * closed / fill.quantity
        open_fee = leg.open_fees * closed / abs(leg.size) if closed else ZERO
        leg.open_fees += fill.fee - close_fee - open_fee
        leg.size += signed
        account = self._exchange.world.accounts[fill.account]
        wallet = self._wallet(fill.account, fill.realized - fill.fee)
        execution = Execution(
            number=fill.trade_id,
            symbol=fill.symbol,
            side=fill.side,
            position_side=fill.position_side,
            price=fill.price,
            quantity=fill.quantity,
            fee=fill.fee,
            fee_rate=account.maker_fee if fill.maker else account.taker_fee,
            time_us=fill.time_us,
            mark=self._exchange.world.mark(fill.symbol),
            wallet=wallet,
            size=leg.size,
            order=order,
            maker=fill.maker,
            realized=fill.realized,
            closed=closed,
            open_fee=open_fee,
            close_fee=close_fee,
        )
        self._add(fill.account, execution)
        self._by_order.setdefault(fill.order_id, []).append(execution)

    def _funding(self, position: Position, fact: AccountChanged) -> None:
        """Book funding: its price is the mark, its quantity the whole position."""
        paid = self._payment(position, fact.time_us)
        if paid is None:
            return
        self._fundings += 1
        world = self._exchange.world
        self._add(
            fact.account,
            Execution(
                number=FIRST_FUNDING_ID + self._fundings,
                symbol=position.symbol,
                side="BUY" if position.amount > 0 else "SELL",
                position_side=position.position_side,
                price=world.mark(position.symbol),
                quantity=abs(position.amount),
                fee=-paid.amount,
                fee_rate=world.funding_rate(position.symbol),
                time_us=fact.time_us,
                mark=world.mark(position.symbol),
                wallet=self._wallet(fact.account, paid.amount),
                size=position.amount,
            ),
        )

    def _payment(self, position: Position, at_us: int) -> Income | None:
        rows = self._exchange.world.income(
            position.account, position.symbol, FUNDING_FEE, start_us=at_us, end_us=at_us
        )
        # In hedge mode both legs pay at once; who is long pays where the rate is positive.
        rate = self._exchange.world.funding_rate(position.symbol)
        pays = position.amount * rate > 0
        return next((row for row in rows if (row.amount < 0) == pays), None)

    def _wallet(self, key: str, change: Decimal) -> Decimal:
        start = self._exchange.world.accounts[key].starting_wallet
        self._wallets[key] = self._wallets.get(key, start) + change
        return self._wallets[key]

    def _add(self, key: str, execution: Execution) -> None:
        self._of.setdefault(key, []).append(execution)
        self._by_number[execution.number] = execution
