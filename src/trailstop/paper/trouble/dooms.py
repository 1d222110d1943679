"""Orders that are acknowledged and then come to nothing, as faults have it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from trailstop.paper.exchange import Exchange
from trailstop.paper.facts import ConditionalChanged, Fact, OrderChanged
from trailstop.paper.model import Conditional, Order
from trailstop.paper.trouble.faults import Asked, Fault

US_PER_MS = 1_000
AWAITED_US = 1_000_000
"""An acknowledged order has its effect within this time, or it was refused."""
DROPPED_STATUS = "CANCELED"
AT_MARKET = "MARKET"


class _Doom(Struct, kw_only=True):
    """One request whose order is going to end."""

    fault: Fault
    asked: Asked
    status: str
    """What a rejected order ends with."""
    until_us: int

    def means(self, order: Order | Conditional, now_us: int) -> bool:
        """Whether this is the order that the request has left behind."""
        return (
            now_us <= self.until_us
            and order.account == self.asked.account
            and self.asked.symbol in {"", order.symbol}
            and self.asked.client_id in {"", order.client_id}
        )


class Dooms:
    """Watches for the orders of doomed requests and ends them in time."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._armed: list[_Doom] = []
        exchange.listen(self._hear)

    def arm(self, fault: Fault, asked: Asked, status: str) -> None:
        """A request is about to leave an order behind, which `fault` ends.

        `status` is what the dialect's exchange calls an order that it rejects later.
        """
        now_us = self._exchange.loop.now_us
        self._armed = [doom for doom in self._armed if doom.until_us >= now_us]
        self._armed.append(
            _Doom(fault=fault, asked=asked, status=status, until_us=now_us + AWAITED_US)
        )

    def stalls(self, order: Order) -> bool:
        """Whether an order at market stays unfilled until it is rejected."""
        if not self._armed or order.type != AT_MARKET or order.algo_id is not None:
            return False
        doom = self._take(order, "rejected_later")
        if doom is None:
            return False
        self._at(doom, self._end_order, order, doom.status)
        return True

    def _hear(self, facts: Sequence[Fact]) -> None:
        if not self._armed:
            return
        for fact in facts:
            match fact:
                case ConditionalChanged(conditional=row) if row.status == "NEW":
                    doom = self._take(row)
                    if doom is not None:
                        told = doom.fault.kind == "rejected_later"
                        status = doom.status if told else DROPPED_STATUS
                        self._at(doom, self._end_stop, row.algo_id, status, told)
                case OrderChanged(order=order, execution="NEW") if order.type != AT_MARKET:
                    doom = self._take(order, "rejected_later")
                    if doom is not None:
                        self._at(doom, self._end_order, order, doom.status)

    def _take(self, order: Order | Conditional, kind: str = "") -> _Doom | None:
        now_us = self._exchange.loop.now_us
        for doom in self._armed:
            if kind in {"", doom.fault.kind} and doom.means(order, now_us):
                self._armed.remove(doom)
                return doom
        return None

    def _at(self, doom: _Doom, end: Callable[..., None], *details: object) -> None:
        loop = self._exchange.loop
        loop.call_at_us(loop.now_us + doom.fault.delay_ms * US_PER_MS, end, *details)

    def _end_stop(self, algo_id: int, status: str, told: bool) -> None:
        self._exchange.sync().end_stop(algo_id, status, told=told)
        self._exchange.tell()

    def _end_order(self, order: Order, status: str) -> None:
        self._exchange.sync().end_order(order.order_id, status)
        self._exchange.tell()
