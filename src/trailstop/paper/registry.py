"""Every order that the exchange has accepted, by id, by client id and by account."""

from __future__ import annotations

import copy

from trailstop.paper.model import Conditional, Order, Rejection, RejectKind

FIRST_ORDER_ID = 8_000_000_001
FIRST_ALGO_ID = 3_000_000_000_000_001
"""Live ids need more than 32 bits, so these do too."""


class Registry:
    """Keeps orders for ever and says which of them still live."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.orders: dict[int, Order] = {}
        self.conditionals: dict[int, Conditional] = {}
        self.live_orders: dict[str, dict[int, Order]] = {key: {} for key in keys}
        self.live_conditionals: dict[str, dict[int, Conditional]] = {key: {} for key in keys}
        self._orders_of: dict[str, list[Order]] = {key: [] for key in keys}
        self._conditionals_of: dict[str, list[Conditional]] = {key: [] for key in keys}
        self._order_names: dict[tuple[str, str], int] = {}
        self._algo_names: dict[tuple[str, str], int] = {}

    def past(self) -> Registry:
        """The orders as they are now, whatever becomes of them; ended ones are shared."""
        past = Registry(tuple(self.live_orders))
        past.orders = {
            number: copy.copy(row) if row.live else row for number, row in self.orders.items()
        }
        past.conditionals = {
            number: copy.copy(row) if row.live else row for number, row in self.conditionals.items()
        }
        for key in self.live_orders:
            past.live_orders[key] = {
                number: past.orders[number] for number in self.live_orders[key]
            }
            past.live_conditionals[key] = {
                number: past.conditionals[number] for number in self.live_conditionals[key]
            }
            past._orders_of[key] = [past.orders[row.order_id] for row in self._orders_of[key]]
            past._conditionals_of[key] = [
                past.conditionals[row.algo_id] for row in self._conditionals_of[key]
            ]
        past._order_names = dict(self._order_names)
        past._algo_names = dict(self._algo_names)
        return past

    def next_order_id(self) -> int:
        """The id of the plain order that is added next."""
        return FIRST_ORDER_ID + len(self.orders)

    def next_algo_id(self) -> int:
        """The id of the conditional order that is added next."""
        return FIRST_ALGO_ID + len(self.conditionals)

    def add_order(self, order: Order) -> None:
        """Take in a live plain order."""
        self.orders[order.order_id] = order
        self.live_orders[order.account][order.order_id] = order
        self._orders_of[order.account].append(order)
        self._order_names[order.account, order.client_id] = order.order_id

    def add_conditional(self, conditional: Conditional) -> None:
        """Take in a live conditional order."""
        self.conditionals[conditional.algo_id] = conditional
        self.live_conditionals[conditional.account][conditional.algo_id] = conditional
        self._conditionals_of[conditional.account].append(conditional)
        if conditional.client_id:
            self._algo_names[conditional.account, conditional.client_id] = conditional.algo_id

    def order_name_taken(self, key: str, client_id: str) -> bool:
        """Whether a live plain order has the client id; ids of ended orders are free again."""
        number = self._order_names.get((key, client_id))
        return number is not None and number in self.live_orders[key]

    def algo_name_taken(self, key: str, client_id: str) -> bool:
        """Whether a live conditional order has the client id."""
        number = self._algo_names.get((key, client_id))
        return number is not None and number in self.live_conditionals[key]

    def order(self, key: str, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        """One order of the account; of a client id that was used again, the newest."""
        number = order_id
        if number is None and client_id is not None:
            number = self._order_names.get((key, client_id))
        order = None if number is None else self.orders.get(number)
        if order is None or order.account != key or order.symbol != symbol:
            raise Rejection(RejectKind.ORDER_NOT_FOUND, "Order does not exist.")
        return order

    def conditional(self, key: str, algo_id: int | None, client_id: str | None) -> Conditional:
        """One conditional order of the account; of a repeated client id, the newest."""
        number = algo_id
        if number is None and client_id:
            number = self._algo_names.get((key, client_id))
        conditional = None if number is None else self.conditionals.get(number)
        if conditional is None or conditional.account != key:
            raise Rejection(RejectKind.ORDER_NOT_FOUND, "Order does not exist.")
        return conditional

    def retire_order(self, order: Order) -> None:
        """Let an order live no more; it can still be asked for."""
        self.live_orders[order.account].pop(order.order_id, None)

    def retire_conditional(self, conditional: Conditional) -> None:
        """Let a conditional order live no more; it can still be asked for."""
        self.live_conditionals[conditional.account].pop(conditional.algo_id, None)

    def orders_of(
        self, key: str, symbol: str | None, start_us: int | None, end_us: int | None, limit: int
    ) -> list[Order]:
        """Orders by creation time, oldest first; without a start the newest ones."""
        found = [
            order
            for order in self._orders_of[key]
            if _within(order.symbol, order.created_us, symbol, start_us, end_us)
        ]
        return found[-limit:] if start_us is None else found[:limit]

    def conditionals_of(
        self, key: str, symbol: str | None, start_us: int | None, end_us: int | None, limit: int
    ) -> list[Conditional]:
        """Conditional orders by creation time, oldest first; without a start the newest ones."""
        found = [
            conditional
            for conditional in self._conditionals_of[key]
            if _within(conditional.symbol, conditional.created_us, symbol, start_us, end_us)
        ]
        return found[-limit:] if start_us is None else found[:limit]


def _within(
    symbol: str, time_us: int, wanted: str | None, start_us: int | None, end_us: int | None
) -> bool:
    return (
        (wanted is None or symbol == wanted)
        and (start_us is None or time_us >= start_us)
        and (end_us is None or time_us <= end_us)
    )
