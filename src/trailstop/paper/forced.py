"""Orders in the exchange's own name: closings that nobody asked for, and their preparation."""

from __future__ import annotations

from decimal import Decimal

from trailstop.paper.matching import Matcher
from trailstop.paper.model import ZERO, Fill, Order, Position

CLIENT_ID_PREFIXES = {
    "liquidation": "autoclose-",
    "adl": "adl_autoclose-",
    "settlement": "settlement_autoclose-",
}
"""By `Order.source`, as Binance names such orders (page Event: Order Update)."""


class Forced:
    """Cancels and closes without asking the account."""

    def __init__(self, matcher: Matcher) -> None:
        self._matcher = matcher

    def cancel(self, key: str, symbol: str, position_side: str | None, reason: str) -> None:
        """Cancel all that rests on a leg, or with None on every leg of the market."""
        matcher = self._matcher
        for conditional in list(matcher.registry.live_conditionals[key].values()):
            if (
                conditional.status == "NEW"
                and conditional.symbol == symbol
                and position_side in (None, conditional.position_side)
            ):
                status = "EXPIRED" if conditional.close_position else "CANCELED"
                matcher.end_conditional(conditional, status, reason)
        for order in list(matcher.registry.live_orders[key].values()):
            if order.symbol == symbol and position_side in (None, order.position_side):
                matcher.states[symbol].resting.remove_order(order)
                matcher.end_order(order, "CANCELED", reason)

    def close(
        self,
        position: Position,
        source: str,
        *,
        price: Decimal | None = None,
        quantity: Decimal | None = None,
    ) -> Fill:
        """Fill a closing order at a price, by default at market, and for the whole position."""
        matcher = self._matcher
        number = matcher.registry.next_order_id()
        liquidated = source == "liquidation"
        order = Order(
            order_id=number,
            client_id=f"{CLIENT_ID_PREFIXES[source]}{number}",
            account=position.account,
            symbol=position.symbol,
            side="SELL" if position.amount > 0 else "BUY",
            type="MARKET",
            position_side=position.position_side,
            quantity=abs(position.amount) if quantity is None else quantity,
            price=ZERO,
            time_in_force="IOC",
            reduce_only=True,
            close_position=False,
            created_us=matcher.now_us,
            updated_us=matcher.now_us,
            source=source,
            original_type="LIQUIDATION" if liquidated else "MARKET",
        )
        execution = "CALCULATED" if liquidated else "TRADE"
        matcher.enter(order, matcher.states[position.symbol], execution, price=price)
        return matcher.ledger.fills[position.account][-1]
