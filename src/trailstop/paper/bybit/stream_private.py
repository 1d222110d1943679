"""Facts about accounts, as the rows of their private topics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from msgspec import structs

from trailstop.paper.bybit.desk import Desk
from trailstop.paper.bybit.executions import FUNDING_FEE
from trailstop.paper.bybit.spelling import plain
from trailstop.paper.bybit.wire_account import held_leg, position_event, wallet_row
from trailstop.paper.bybit.wire_orders import Row, fast_execution_row
from trailstop.paper.chance import chance
from trailstop.paper.exchange import Exchange
from trailstop.paper.facts import AccountChanged, ConditionalChanged, Fact, OrderChanged
from trailstop.paper.model import Conditional, Position
from trailstop.paper.moments import AccountFact, by_moment

ORDER, POSITION, EXECUTION, WALLET = "order", "position", "execution", "wallet"
FAST_EXECUTION = "execution.fast"
KINDS = (ORDER, POSITION, EXECUTION, FAST_EXECUTION, WALLET)
SEPARATELY_BELOW = 0.5
PASSING = ("TRIGGERING", "FINISHED")
"""Steps of a conditional order that are not told: what it does next, or has done as an order, is
told at the same moment."""
Told = dict[str, list[Row]]


class PrivateEvents:
    """Spells facts for those accounts that listen.

    The topics come from different services of the real exchange, so their order at one moment
    is left to chance, and so is whether several rows come in one message. Within a topic the
    order of the facts is kept.
    """

    def __init__(self, exchange: Exchange, desk: Desk, listens: Callable[[str], bool]) -> None:
        self._exchange = exchange
        self._desk = desk
        self._listens = listens
        self._shown: dict[int, Decimal] = {}
        """Quantity last told of stops for a whole position, which ended ones go on to show."""

    def of(self, facts: Sequence[Fact]) -> Iterator[tuple[str, str, list[Row]]]:
        """Account, topic and the rows of one message, in the order in which they are sent."""
        for moment_us, key, moment in by_moment(facts, self._listens):
            told: Told = {kind: [] for kind in KINDS}
            for fact in moment:
                self._put(told, fact)
            yield from ((key, kind, rows) for kind, rows in self._messages(told, key, moment_us))

    def _messages(self, told: Told, key: str, moment_us: int) -> Iterator[tuple[str, list[Row]]]:
        name = self._exchange.world.accounts[key].name

        def drawn(question: str, kind: str) -> float:
            return chance(self._exchange.seed, question, name, moment_us, kind)

        for kind in sorted(KINDS, key=lambda kind: drawn("topic_order", kind)):
            if drawn("one_message", kind) < SEPARATELY_BELOW:
                yield from ((kind, [row]) for row in told[kind])
            elif told[kind]:
                yield kind, told[kind]

    def _put(self, told: Told, fact: AccountFact) -> None:
        match fact:
            case ConditionalChanged(conditional=row):
                if row.status not in PASSING:
                    told[ORDER].append(self._conditional(row))
                    self._echo(told, row.account, row.symbol, row.position_side)
            case OrderChanged(order=order, fill=fill):
                if order.type == "MARKET" and fact.execution == "NEW":
                    # An order at market is told of when it is filled, not before.
                    return
                told[ORDER].append(self._desk.order_event(order))
                if fill is None:
                    self._echo(told, order.account, order.symbol, order.position_side)
                    return
                execution = self._desk.execution_row(self._desk.executions.of_fill(fill))
                told[EXECUTION].append(execution)
                if execution["execType"] == "Trade":
                    told[FAST_EXECUTION].append(fast_execution_row(execution))
            case AccountChanged():
                self._account(told, fact)

    def _account(self, told: Told, fact: AccountChanged) -> None:
        world = self._exchange.world
        for position in fact.positions:
            self._position(told, position)
            if fact.reason == FUNDING_FEE:
                told[EXECUTION] += [
                    self._desk.execution_row(row)
                    for row in self._desk.executions.of(fact.account)
                    if row.order is None
                    and (row.time_us, row.symbol, row.position_side)
                    == (fact.time_us, position.symbol, position.position_side)
                ]
        told[WALLET] = [wallet_row(world, world.accounts[fact.account])]

    def _conditional(self, conditional: Conditional) -> Row:
        """The order; one for the whole position shows the size that it covers, or did."""
        row = self._desk.conditional_event(conditional)
        if conditional.quantity is not None:
            return row
        if conditional.status == "NEW":
            self._shown[conditional.algo_id] = Decimal(row["qty"])
            return row
        shown = self._shown.pop(conditional.algo_id, None)
        return row if shown is None else row | {"qty": plain(shown)}

    def _echo(self, told: Told, key: str, symbol: str, position_side: str) -> None:
        """The position goes out with every order of its market, changed or not."""
        account = self._exchange.world.accounts[key]
        position = account.positions.get((symbol, position_side)) or Position(
            account=key, symbol=symbol, position_side=position_side
        )
        self._position(told, position)

    def _position(self, told: Told, position: Position) -> None:
        world = self._exchange.world
        account = world.accounts[position.account]
        held = held_leg(world, account, position.symbol, position.position_side)
        seq = self._desk.told_seq(world.now_us)
        told[POSITION].append(position_event(structs.replace(held, position=position), seq))
