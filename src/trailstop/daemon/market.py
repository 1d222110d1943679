"""Prices of one account's symbols on their way to the trails that watch them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

import structlog

from trailstop.daemon.leg import GuardedLeg
from trailstop.engine import events as ev
from trailstop.engine.jumps import JUMP_DIVISOR
from trailstop.feeds.quality import TradeQuality, Verdict
from trailstop.ports import LastPrice, MarkPrice, Quote

_log = structlog.get_logger("trailstop.guard")


@dataclass(slots=True)
class SymbolPrices:
    """The newest market data of one symbol."""

    quality: TradeQuality = field(default_factory=TradeQuality)
    quote: Quote | None = None
    mark: MarkPrice | None = None


class MarketSide:
    """Gives each trail the price that it watches, and the others where they are witnesses."""

    def __init__(
        self,
        feed: Callable[[GuardedLeg, ev.Event], None],
        legs_of: Callable[[str], Iterable[GuardedLeg]],
        now_ms: Callable[[], int],
    ) -> None:
        """`feed` advances one trail, `legs_of` names the guarded legs of a symbol."""
        self._feed = feed
        self._legs_of = legs_of
        self._now_ms = now_ms
        self._prices: dict[str, SymbolPrices] = {}

    def take(self, event: LastPrice | Quote | MarkPrice) -> None:
        """Sort one price to the trails that it concerns."""
        match event:
            case LastPrice():
                self._on_trade(event)
            case Quote(symbol):
                self._prices_of(symbol).quote = event
                self._witness(symbol, ev.QuoteSeen(event.bid, event.ask, event.at_ms))
            case MarkPrice():
                self._on_mark(event)

    def spread_seen(self, guarded: GuardedLeg) -> None:
        """Show the trail the newest book and mark, where it does not know them yet."""
        prices = self._prices_of(guarded.trail.leg.symbol)
        quote, mark = prices.quote, prices.mark
        if quote is not None and (quote.bid, quote.ask) != (guarded.trail.bid, guarded.trail.ask):
            self._feed(guarded, ev.QuoteSeen(quote.bid, quote.ask, quote.at_ms))
        if mark is not None and mark.mark != guarded.trail.mark:
            self._feed(guarded, ev.MarkSeen(mark.mark, mark.at_ms))

    def _prices_of(self, symbol: str) -> SymbolPrices:
        return self._prices.setdefault(symbol, SymbolPrices())

    def _on_trade(self, trade: LastPrice) -> None:
        verdict = self._prices_of(trade.symbol).quality.judge(trade, self._now_ms())
        if verdict not in (Verdict.GOOD, Verdict.STALE):
            _log.warning("price_refused", symbol=trade.symbol, why=verdict.value, price=trade.price)
            return
        event = ev.PriceSeen(trade.price, trade.at_ms, "trade", verdict is Verdict.GOOD)
        for guarded in self._legs_of(trade.symbol):
            if guarded.trail.policy.trigger_price == "last":
                self._witness_jump(guarded, trade.price)
                self._feed(guarded, event)

    def _witness_jump(self, guarded: GuardedLeg, price: Decimal) -> None:
        """Show the trail book and mark before a price far from the last one.

        They matter for nothing else, so that the journal is spared every quote.
        """
        last = guarded.trail.price
        if last is None or abs(price - last) * JUMP_DIVISOR > last:
            self.spread_seen(guarded)

    def _witness(self, symbol: str, event: ev.Event) -> None:
        for guarded in self._legs_of(symbol):
            if guarded.trail.jump is not None:
                self._feed(guarded, event)

    def _on_mark(self, mark: MarkPrice) -> None:
        self._prices_of(mark.symbol).mark = mark
        for guarded in self._legs_of(mark.symbol):
            if guarded.trail.policy.trigger_price == "mark":
                self._feed(guarded, ev.PriceSeen(mark.mark, mark.at_ms, "mark"))
            elif guarded.trail.jump is not None:
                self._feed(guarded, ev.MarkSeen(mark.mark, mark.at_ms))
