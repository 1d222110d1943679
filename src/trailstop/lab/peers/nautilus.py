"""One trailing order of NautilusTrader in a simulated market: its trigger, its limit, its fills.

The trigger is trailed by the product's own rule. When it fires, a TRAILING_STOP_MARKET leaves at
market; a TRAILING_STOP_LIMIT becomes a limit order, which takes what the market offers there at
once, or rests and is filled at its own price when the market comes to it.
Source: https://nautilustrader.io/docs/latest/concepts/orders and, for bars,
https://nautilustrader.io/docs/latest/concepts/backtesting (bar execution).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from trailstop.dialects import nautilus
from trailstop.domain.price import Side
from trailstop.library import TrailingStop, Update

Status = Literal["INITIALIZED", "ACCEPTED", "REJECTED", "TRIGGERED", "PARTIALLY_FILLED", "FILLED"]
Liquidity = Literal["MAKER", "TAKER"]
SIDES = {"SELL": Side.LONG, "BUY": Side.SHORT}
"""Side of the position that an order of this side leaves."""
ANY_ENTRY = Decimal(1)
"""A trailing order knows no entry, and its policy never looks at one."""
ZERO = Decimal(0)


class Ticket(Struct, frozen=True, kw_only=True):
    """Parameters of one order as NautilusTrader spells them; prices in quote currency.

    With a `limit_offset` it is a TRAILING_STOP_LIMIT. An `emulated` order is kept by the client,
    so that no exchange refuses it.
    """

    side: str
    trigger_type: str
    offset_type: str
    trailing_offset: Decimal
    tick_size: Decimal
    limit_offset: Decimal | None = None
    activation_price: Decimal | None = None
    trigger_price: Decimal | None = None
    limit_price: Decimal | None = None
    quantity: Decimal = Decimal(1)
    emulated: bool = False


class Order:
    """One order in a market, as its owner sees it.

    The prices of before its submission are known to it; an exchange refuses an order whose
    activation or trigger they have reached already. An order on last prices is activated by
    the book, so its trail begins when the book gets there. Raises ConfigError for types that
    cannot be trailed, and where an order without a trigger is submitted before its prices are
    known.
    """

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._side = SIDES[ticket.side]
        # An order that waits for its activation has no trigger yet, whatever it was given.
        self._first = None if ticket.activation_price else ticket.trigger_price
        self._policy = nautilus.trailing_stop_market(
            trigger_type=ticket.trigger_type,
            offset_type=ticket.offset_type,
            trailing_offset=ticket.trailing_offset,
            tick_size=ticket.tick_size,
            activation_price=ticket.activation_price,
        )
        self._quoted = self._policy.basis in ("bid_ask", "last_or_bid_ask")
        self._traded = self._policy.basis != "bid_ask"
        self._bid: Decimal | None = None
        self._ask: Decimal | None = None
        self._last: Decimal | None = None
        self._offered: Decimal | None = None
        self._trail: TrailingStop | None = None
        self._submitted = False
        self._unseen = False
        self.limit = None if ticket.activation_price else ticket.limit_price
        self.activation = ticket.activation_price
        self.quantity = ticket.quantity
        self.filled = ZERO
        self.fill_price: Decimal | None = None
        self.liquidity: Liquidity | None = None
        self.triggered = False
        self.rejected = False

    @property
    def status(self) -> Status:
        """State of the order under NautilusTrader's names."""
        if self.filled:
            return "FILLED" if self.filled >= self.quantity else "PARTIALLY_FILLED"
        if self.triggered:
            return "TRIGGERED"
        if self.rejected:
            return "REJECTED"
        return "ACCEPTED" if self._submitted else "INITIALIZED"

    @property
    def activated(self) -> bool:
        """Whether the trigger trails."""
        if self._trail is None:
            return False
        return self._ticket.activation_price is None or self._trail.trail.peak is not None

    @property
    def trigger(self) -> Decimal | None:
        """Trigger price, None while the order waits for its activation."""
        return None if self._trail is None else self._trail.trail.exact_stop

    @property
    def becomes(self) -> Literal["MARKET", "LIMIT"] | None:
        """What the order turned into when its trigger fired."""
        if not self.triggered:
            return None
        return "LIMIT" if self._limited else "MARKET"

    def submit(self) -> None:
        """Begin to trail; an order without any trigger of its own needs its prices now."""
        if not self._ticket.emulated and self._in_the_market():
            self.rejected = True
            return
        self._submitted = True
        waits = self._ticket.activation_price is not None
        if not waits or not self._traded:
            self._begin(waits=waits)
        # A trigger that was given stands until the next price.
        self._unseen = self._first is not None
        if self._first is None and (not waits or self._sees_all):
            self._see_market()
        if self._trail is not None and self.activation is None:
            self.activation = self._trail.trail.peak or self._basis

    def quote(
        self,
        bid: Decimal | None,
        ask: Decimal | None,
        *,
        bid_size: Decimal | None = None,
        ask_size: Decimal | None = None,
    ) -> None:
        """Tell the book: a side without a price is taken to stand where the other one does.

        Sizes are base currency; a limit order is filled with no more than its side of the book
        has, with everything where that is not told.
        """
        long = self._side is Side.LONG
        self._bid, self._ask = (ask if bid is None else bid), (bid if ask is None else ask)
        self._offered = bid_size if long else ask_size
        if self.triggered:
            self._meet_limit("MAKER")
        elif self._trail is None:
            self._activate_at(self._bid if long else self._ask)
        elif self._unseen and self._sees_all:
            self._see_market()
        elif self._quoted and self._bid is not None and self._ask is not None:
            self._see(self._trail.update_quote(self._bid, self._ask))

    def trade(self, price: Decimal) -> None:
        """Tell a trade, or the mark price to an order on that."""
        self._last = price
        if self.triggered:
            self._meet_limit("MAKER")
        elif self._trail is None:
            self._activate_at(price)
        elif self._unseen and self._sees_all:
            self._see_market()
        elif self._traded:
            self._see(self._trail.update_price(price))

    def bar(
        self, open_: Decimal, high: Decimal, low: Decimal, close: Decimal, *, adaptive: bool = False
    ) -> None:
        """Tell a bar of trades as four prices that move last, bid and ask.

        Open, high, low, close; `adaptive` takes the low first where the open is nearer to it, as
        `bar_adaptive_high_low_ordering` does.
        """
        low_first = adaptive and open_ - low < high - open_
        for price in (open_, *((low, high) if low_first else (high, low)), close):
            self.quote(price, price)
            self.trade(price)

    def resize(self, quantity: Decimal) -> None:
        """Change the order's quantity, base currency."""
        self.quantity = quantity
        if self._trail is not None:
            self._trail.change_position(quantity=quantity)

    def _in_the_market(self) -> bool:
        """Whether the activation has been reached, or the trigger that was given."""
        market, wanted = self._market, self._ticket.activation_price
        if market is None:
            return False
        if wanted is not None:
            return not self._side.better(wanted, market)
        return self._first is not None and self._side.touches(market, self._first)

    @property
    def _limited(self) -> bool:
        return self._ticket.limit_offset is not None

    @property
    def _sees_all(self) -> bool:
        quotes, trades = self._bid is not None, self._last is not None
        return (quotes or not self._quoted) and (trades or not self._traded)

    def _activate_at(self, price: Decimal | None) -> None:
        wanted = self._ticket.activation_price
        if self._submitted and wanted and price and not self._side.better(wanted, price):
            self._begin(waits=False)
            self._see_market()

    def _begin(self, *, waits: bool) -> None:
        policy = self._policy
        if not waits:
            policy = replace(policy, activation_price=None, activation_percent=ZERO)
        self._trail = TrailingStop(
            "order",
            ANY_ENTRY,
            self._side,
            policy,
            tick_size=nautilus.price_increment(self._ticket.tick_size),
            quantity=self.quantity,
            resting_stop=self._first,
        )

    def _see_market(self) -> None:
        """Trail by all that is known of the market."""
        self._unseen = False
        if self._trail is not None:
            self._see(self._trail.update_market(last=self._last, bid=self._bid, ask=self._ask))
        elif self._bid is not None and self._ask is not None:
            self._activate_at(self._bid if self._side is Side.LONG else self._ask)

    def _see(self, update: Update) -> None:
        """Trail the limit with the trigger, and fire where that is reached."""
        offset = self._ticket.limit_offset
        if offset is not None and update.peak is not None:
            self.limit = nautilus.limit_price(
                update.peak,
                self._side,
                offset_type=self._ticket.offset_type,
                limit_offset=offset,
                tick_size=self._ticket.tick_size,
                current=self.limit,
            )
        if not update.hit:
            return
        self.triggered = True
        if self._limited:
            self._meet_limit("TAKER")
        else:
            # A stop that fires leaves at market and takes what is there.
            self._fill(self.quantity, self._market, "TAKER")

    @property
    def _basis(self) -> Decimal | None:
        """Price that the trigger is trailed behind: the better one where there are two."""
        quoted = (self._bid if self._side is Side.LONG else self._ask) if self._quoted else None
        traded = self._last if self._traded else None
        if quoted is None or traded is None:
            return traded if quoted is None else quoted
        return self._side.best(quoted, traded)

    @property
    def _market(self) -> Decimal | None:
        """Price that the order meets: the other side of the book, else the last trade."""
        quoted = self._bid if self._side is Side.LONG else self._ask
        return self._last if quoted is None else quoted

    def _meet_limit(self, liquidity: Liquidity) -> None:
        """Fill a limit order as far as the market reaches it.

        As it fires it takes what its side of the book has at the trigger, and the rest a tick
        worse. Later it is filled at its own price: with what is there where the market just
        touches it, with everything where the market has gone through.
        """
        market, limit, left = self._market, self.limit, self.quantity - self.filled
        if left <= 0 or market is None or limit is None or self._side.better(limit, market):
            return
        there = left if self._offered is None else min(left, self._offered)
        if liquidity == "TAKER":
            assert self.trigger is not None, "it has fired"
            self._fill(there, self.trigger, liquidity)
            worse = self.trigger - self._ticket.tick_size * self._side.sign
            if there < left and not self._side.better(limit, worse):
                self._fill(left - there, worse, liquidity)
        else:
            self._fill(left if self._side.better(market, limit) else there, limit, liquidity)

    def _fill(self, quantity: Decimal, price: Decimal | None, liquidity: Liquidity) -> None:
        self.filled += quantity
        self.fill_price, self.liquidity = price, liquidity
