"""Order entry's memory: which orders were accepted, under which ids, and what became of them.

Order calls are answered when they are accepted and have their effect a little later, so an order
has its id before the world knows it; an order that the world then refuses is known here alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from uuid import UUID

from msgspec import Struct

from trailstop.paper.bybit.executions import Execution, Executions
from trailstop.paper.bybit.limits import BybitLimits, CallLimit
from trailstop.paper.bybit.spelling import US_PER_MS, id_text, sequence
from trailstop.paper.bybit.wire_orders import (
    Known,
    Row,
    conditional_row,
    execution_row,
    late_cancel,
    order_event,
    order_row,
)
from trailstop.paper.exchange import Exchange
from trailstop.paper.facts import Fact, OrderChanged
from trailstop.paper.model import Conditional, Order, PositionStopRequest, Rejection
from trailstop.paper.registry import FIRST_ALGO_ID
from trailstop.paper.trouble.faults import Faults
from trailstop.paper.world import World

FIRST_ID = 1 << 96
"""Ids that are given here lie above the numbers of the world, which are ids of other orders."""
HIDDEN_NAME = "paper-"
"""Client ids that the world itself makes up are no ids of clients."""

Teller = Callable[[str, Row, int], None]
"""Told of an account's key, an order as the topic `order` carries it, and the time (µs)."""


class Entry(Struct, kw_only=True):
    """One accepted order."""

    order_id: str
    link_id: str
    account: str
    symbol: str
    last_price: Decimal
    accepted_us: int
    conditional: bool = False
    stops: PositionStopRequest | None = None
    """Stops that the position gets when this order has filled."""
    number: int | None = None
    """The world's number, None until the effect, and for ever where the world refused it."""
    refused: Row | None = None


class Found(Struct, frozen=True):
    """An order that a client names: still on its way, plain, or conditional (with its child)."""

    entry: Entry | None = None
    order: Order | None = None
    conditional: Conditional | None = None

    @property
    def live(self) -> bool:
        """Whether it can still be amended or cancelled."""
        if self.order is not None:
            return self.order.live
        if self.conditional is not None:
            return self.conditional.status == "NEW"
        return self.entry is not None and self.entry.refused is None


class Desk:
    """The accepted orders of all accounts, beside the world's own."""

    def __init__(self, exchange: Exchange, limits: BybitLimits, faults: Faults) -> None:
        self.exchange = exchange
        self.limits = limits
        self._faults = faults
        self.calls = CallLimit(self._foreign_calls)
        """Counts the calls of REST and of the order-entry socket together."""
        self.executions = Executions(exchange)
        self._by_id: dict[str, Entry] = {}
        self._by_link: dict[tuple[str, str], Entry] = {}
        self._by_number: dict[int, Entry] = {}
        self._pending: dict[str, Entry] = {}
        self._refused: dict[str, list[Entry]] = {}
        self._tellers: list[Teller] = []
        self._position_seq = 0
        exchange.listen(self._hear)

    def on_order(self, teller: Teller) -> None:
        """Tell of order messages that follow from no fact of the world.

        These are orders that the engine refused, and the second message of a cancel that met a
        fill.
        """
        self._tellers.append(teller)

    # --- Positions ------------------------------------------------------------------------------

    def told_seq(self, now_us: int) -> int:
        """The `seq` of a position that is told now; each is higher than the one before."""
        self._position_seq = max(self._position_seq + 1, sequence(now_us))
        return self._position_seq

    def read_seq(self, now_us: int) -> int:
        """The `seq` of a position that is read now; never lower than what was told before."""
        as_of_us = self.exchange.world.as_of_us
        if as_of_us is not None:
            return sequence(as_of_us)
        return max(self._position_seq, sequence(now_us))

    # --- Accepting ------------------------------------------------------------------------------

    def accept(
        self,
        key: str,
        symbol: str,
        link_id: str = "",
        *,
        conditional: bool = False,
        stops: PositionStopRequest | None = None,
    ) -> Entry:
        """Give a new order its id."""
        world = self.exchange.world
        entry = Entry(
            order_id=id_text(FIRST_ID + len(self._by_id)),
            link_id=link_id,
            account=key,
            symbol=symbol,
            last_price=world.last(symbol),
            accepted_us=world.now_us,
            conditional=conditional,
            stops=stops,
        )
        self._by_id[entry.order_id] = self._pending[entry.order_id] = entry
        if link_id:
            self._by_link[key, link_id] = entry
        return entry

    def entered(self, entry: Entry, number: int) -> None:
        """The world has taken the order under this number."""
        entry.number = number
        self._by_number[number] = entry
        del self._pending[entry.order_id]

    def refuse(self, entry: Entry, row: Row) -> None:
        """The world has refused the order; `row` is what it looks like."""
        entry.refused = row
        del self._pending[entry.order_id]
        self._refused.setdefault(entry.account, []).append(entry)
        self._tell(entry.account, order_event(row))

    def came_late(self, order: Order) -> None:
        """A cancel took effect after the order had been filled."""
        row = order_event(self.order_row(order), self.executions.of_order(order.order_id))
        self._tell(order.account, late_cancel(row))

    def later(self, effect: Callable[[World], None]) -> None:
        """Let an accepted call have its effect after the exchange's own time."""
        delay_us = self.limits.async_ms * US_PER_MS
        if delay_us == 0:
            effect(self.exchange.world)
            return
        loop = self.exchange.loop
        loop.call_at_us(loop.now_us + delay_us, self._take_effect, effect)

    def pending(self, key: str, symbol: str, *, conditional: bool) -> int:
        """How many accepted orders of this kind the world does not know yet."""
        return sum(
            (entry.account, entry.symbol, entry.conditional) == (key, symbol, conditional)
            for entry in self._pending.values()
        )

    # --- Finding --------------------------------------------------------------------------------

    def link_taken(self, key: str, symbol: str, link_id: str) -> bool:
        """Whether any order of the account, ended ones included, had this id."""
        found = self.find(key, symbol, None, link_id)
        return found is not None

    def find(
        self, key: str, symbol: str, order_id: str | None, link_id: str | None
    ) -> Found | None:
        """The account's order of this id; None where there is none."""
        entry = None
        if order_id is not None:
            entry = self._by_id.get(order_id)
            number = entry.number if entry is not None else _number(order_id)
        else:
            entry = self._by_link.get((key, link_id or ""))
            number = entry.number if entry is not None else None
            if entry is None:
                return self._named(key, symbol, link_id)
        if entry is not None and (entry.account, entry.symbol) != (key, symbol):
            return None
        if entry is not None and not self._accepted_yet(entry):
            return None
        if number is None:
            return None if entry is None else Found(entry)
        return self._numbered(key, symbol, number, entry)

    def refused(self, key: str) -> Sequence[Entry]:
        """The account's orders that the world refused, oldest first."""
        return [entry for entry in self._refused.get(key, ()) if self._accepted_yet(entry)]

    def _accepted_yet(self, entry: Entry) -> bool:
        """Whether a read that lags knows of the order already; any other does."""
        as_of_us = self.exchange.world.as_of_us
        return as_of_us is None or entry.accepted_us <= as_of_us

    def _numbered(self, key: str, symbol: str, number: int, entry: Entry | None) -> Found | None:
        world = self.exchange.world
        try:
            if number < FIRST_ALGO_ID:
                order = world.order(key, symbol, order_id=number)
                return self._plain(key, order, entry)
            conditional = world.conditional(key, algo_id=number)
        except Rejection:
            return None
        return Found(entry, self.child_of(conditional), conditional)

    def _named(self, key: str, symbol: str, name: str | None) -> Found | None:
        """An order that came in by another way than this dialect, by its client id."""
        world = self.exchange.world
        if not name or name.startswith(HIDDEN_NAME):
            return None
        try:
            conditional = world.conditional(key, client_id=name)
        except Rejection:
            pass
        else:
            return Found(None, self.child_of(conditional), conditional)
        try:
            return self._plain(key, world.order(key, symbol, client_id=name), None)
        except Rejection:
            return None

    def _plain(self, key: str, order: Order, entry: Entry | None) -> Found:
        if order.algo_id is None:
            return Found(entry, order)
        return Found(entry, order, self.exchange.world.conditional(key, algo_id=order.algo_id))

    def child_of(self, conditional: Conditional) -> Order | None:
        """The plain order that a triggered conditional order has become."""
        number = conditional.child_order_id
        if number is None:
            return None
        return self.exchange.world.order(conditional.account, conditional.symbol, order_id=number)

    # --- Spelling -------------------------------------------------------------------------------

    def order_id(self, order: Order | Conditional) -> str:
        """The id that clients see; a triggered conditional order keeps its own."""
        number = _number_of(order)
        entry = self._by_number.get(number)
        return id_text(number) if entry is None else entry.order_id

    def link_id(self, order: Order | Conditional) -> str:
        """The client's own id, empty where there is none."""
        entry = self._by_number.get(_number_of(order))
        if entry is not None:
            return entry.link_id
        made_here = isinstance(order, Conditional) or order.source in ("plain", "conditional")
        hidden = not made_here or order.client_id.startswith(HIDDEN_NAME)
        return "" if hidden else order.client_id

    def order_row(self, order: Order) -> Row:
        """A plain order, or the child of a triggered conditional order under its parent's id."""
        executions = self.executions.of_order(order.order_id)
        return order_row(self._known(order, executions), order, self.parent_of(order))

    def conditional_row(self, conditional: Conditional) -> Row:
        """A conditional order in its own right; once it has a child, that is what it looks like.

        A stop for the whole position shows the position's size now.
        """
        return conditional_row(self._known(conditional), conditional)

    def order_event(self, order: Order) -> Row:
        """A plain order or child as the topic `order` carries it."""
        return order_event(self.order_row(order), self.executions.of_order(order.order_id))

    def conditional_event(self, conditional: Conditional) -> Row:
        """A waiting or ended conditional order as the topic `order` carries it."""
        return order_event(self.conditional_row(conditional))

    def execution_row(self, execution: Execution) -> Row:
        """One execution with the ids of its order."""
        order = execution.order
        if order is None:
            number = id_text(execution.number)
            return execution_row(execution, number, "", None)
        parent = self.parent_of(order)
        return execution_row(execution, self.order_id(order), self.link_id(order), parent)

    def parent_of(self, order: Order) -> Conditional | None:
        """The conditional order that the order was before it triggered."""
        if order.algo_id is None:
            return None
        return self.exchange.world.conditional(order.account, algo_id=order.algo_id)

    def _known(self, order: Order | Conditional, executions: Sequence[Execution] = ()) -> Known:
        world = self.exchange.world
        entry = self._by_number.get(_number_of(order))
        leg = (order.symbol, order.position_side)
        position = world.accounts[order.account].positions.get(leg)
        return Known(
            order_id=self.order_id(order),
            market=world.markets[order.symbol],
            link_id=self.link_id(order),
            last_price=None if entry is None else entry.last_price,
            held=Decimal(0) if position is None else abs(position.amount),
            executions=executions,
            stops=None if entry is None else entry.stops,
        )

    def _foreign_calls(self, key: str, since_ms: int, now_ms: int) -> int:
        names = (key, self.exchange.world.accounts[key].name)
        skew_ms = self.exchange.skew.ms
        since_us, now_us = ((at_ms - skew_ms) * US_PER_MS for at_ms in (since_ms, now_ms))
        return self._faults.foreign_use(since_us, now_us, *names)[1]

    def _hear(self, facts: Sequence[Fact]) -> None:
        """Give a position the stops that came with the order which has just filled."""
        for fact in facts:
            if isinstance(fact, OrderChanged) and fact.fill is not None:
                entry = self._by_number.get(_number_of(fact.order))
                if entry is not None and entry.stops is not None:
                    # Everybody is told of the fill before the stops that follow from it.
                    self.exchange.loop.call_soon(self._attach, fact.account, entry.stops)

    def _attach(self, key: str, stops: PositionStopRequest) -> None:
        world = self.exchange.sync()
        try:
            world.set_position_stops(key, stops)
        except Rejection:
            # A level that the fill has already passed is dropped, as the exchange does it.
            return
        finally:
            self.exchange.tell()

    def _take_effect(self, effect: Callable[[World], None]) -> None:
        effect(self.exchange.sync())
        self.exchange.tell()

    def _tell(self, key: str, row: Row) -> None:
        # What the world has told must be passed on first: a refusal follows what led to it.
        self.exchange.tell()
        for teller in self._tellers:
            teller(key, row, self.exchange.world.now_us)


def _number_of(order: Order | Conditional) -> int:
    if isinstance(order, Conditional):
        return order.algo_id
    return order.order_id if order.algo_id is None else order.algo_id


def _number(order_id: str) -> int | None:
    try:
        return UUID(order_id).int
    except ValueError:
        return None
