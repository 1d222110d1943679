"""Prices of one account's symbols on their way to the trails that watch them.

What the streams tell is judged and sorted here; so is what was asked for where a stream is silent.
While a gap of the stream is being filled its live prices wait, so that trails see venue time in
its order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

import structlog

from trailstop.daemon.leg import GuardedLeg
from trailstop.engine import events as ev
from trailstop.engine.jumps import JUMP_DIVISOR
from trailstop.feeds.health import DelayMeter, FeedHealth, StreamHealth
from trailstop.feeds.quality import (
    ACCEPTED,
    STALE_MS,
    Refusals,
    TimedQuality,
    TradeQuality,
    Verdict,
)
from trailstop.ports import LastPrice, MarkPrice, Quote, StreamCounts, UnusablePrice
from trailstop.venues.conflation import Backlog

_log = structlog.get_logger("trailstop.guard")

Price = LastPrice | MarkPrice | Quote
Kind = Literal["last", "mark"]
GAP_MS = 2_500
"""A symbol without news for longer has missed some: its mark is told every second."""
BLIND_MS = 10_000
"""A symbol without news for so long is asked for (N of the invariants)."""


@dataclass(slots=True)
class Resting:
    """A value of a stream, and since when it has not changed (exchange time, Unix ms)."""

    value: Decimal
    since_ms: int


@dataclass(slots=True)
class SymbolPrices:
    """The newest market data of one symbol. Times are the exchange's, Unix ms."""

    watched_ms: int
    trades: TradeQuality = field(default_factory=TradeQuality)
    marks: TimedQuality = field(default_factory=TimedQuality)
    quotes: TimedQuality = field(default_factory=TimedQuality)
    quote: Quote | None = None
    mark: MarkPrice | None = None
    heard_ms: int = 0
    """When the stream said anything of it that could be used."""
    covered_ms: int = 0
    """Until when what the stream missed was asked for, or is being asked for."""
    told: dict[Kind, Resting] = field(default_factory=dict)
    """What the stream said last, whether it was believed or not."""
    frozen: dict[Kind, Resting] = field(default_factory=dict)
    """The values at which the stream is known to stand still."""
    held: Backlog | None = None
    """Live prices that wait for a gap to be filled."""


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
        self.watched: frozenset[str] = frozenset()
        self.streams: dict[str, StreamHealth] = {}
        self.on_gap: Callable[[str, int, bool], None] | None = None
        """Hears that a symbol's stream speaks again: since when (Unix ms) it may have missed
        something, and whether it certainly was away."""
        self.refusals = Refusals(_tell_refused)
        self.delay_stream, self.delay_polling = DelayMeter(), DelayMeter()
        self.polls = self.failed_polls = 0
        self.gaps_filled = self.gaps_unfilled = 0

    # --- what is watched -----------------------------------------------------------------
    def watch(self, symbols: frozenset[str]) -> None:
        """Expect prices of exactly these symbols."""
        now_ms = self._now_ms()
        for symbol in symbols - self.watched:
            prices = self.of(symbol)
            prices.watched_ms, prices.heard_ms, prices.covered_ms = now_ms, 0, 0
            prices.told.clear()
            prices.frozen.clear()
        self.watched = symbols

    def of(self, symbol: str) -> SymbolPrices:
        """What is known of a symbol."""
        prices = self._prices.get(symbol)
        if prices is None:
            prices = self._prices[symbol] = SymbolPrices(self._now_ms())
        return prices

    def silent(self) -> frozenset[str]:
        """Watched symbols of which the stream has said nothing for too long."""
        since_ms = self._now_ms() - BLIND_MS
        return frozenset(
            symbol
            for symbol in self.watched
            if max(self.of(symbol).heard_ms, self.of(symbol).watched_ms) < since_ms
        )

    def frozen(self) -> frozenset[str]:
        """Watched symbols whose stream stands still while the exchange's answers do not."""
        return frozenset(symbol for symbol in self.watched if self.of(symbol).frozen)

    def stream_changed(self, stream: str, up: bool) -> None:
        """A kind of stream was lost or is back; what prices missed meanwhile is to be filled in."""
        before = self.streams.get(stream)
        self.streams[stream] = StreamHealth(up=up, since_ms=self._now_ms())
        if stream != "market" or not up or before is None or before.up or self.on_gap is None:
            return
        for symbol in sorted(self.watched):
            prices = self.of(symbol)
            if prices.heard_ms > prices.covered_ms:
                # Else it has said nothing since the last time, and its first word will tell.
                prices.covered_ms = self._now_ms()
                self.on_gap(symbol, prices.heard_ms, True)

    # --- prices --------------------------------------------------------------------------
    def take(self, event: Price) -> None:
        """Judge one price of the stream and sort it to the trails that it concerns."""
        now_ms = self._now_ms()
        prices = self.of(event.symbol)
        verdict = self._judged(prices, event, now_ms)
        if verdict not in ACCEPTED:
            return
        silent_since_ms = max(prices.heard_ms, prices.covered_ms)
        prices.heard_ms = now_ms
        if silent_since_ms and now_ms - silent_since_ms > GAP_MS and self.on_gap is not None:
            prices.covered_ms = now_ms
            self.on_gap(event.symbol, silent_since_ms, now_ms - silent_since_ms > BLIND_MS)
        self.delay_stream.add(now_ms - event.at_ms, now_ms)
        _note(prices, event, now_ms)
        if prices.frozen:
            self._refuse(event, Verdict.FROZEN, now_ms)
        else:
            self._sort(prices, event, fresh=verdict is Verdict.GOOD)

    def take_polled(self, event: Price) -> None:
        """Judge one price that was asked for and sort it as if a stream had told it."""
        now_ms = self._now_ms()
        prices = self.of(event.symbol)
        if isinstance(event, LastPrice) and prices.trades.same(event):
            return  # No trade since the last time: nothing is wrong, and nothing new.
        verdict = self._judged(prices, event, now_ms)
        if verdict in ACCEPTED:
            self.delay_polling.add(now_ms - event.at_ms, now_ms)
            self._sort(prices, event, fresh=verdict is Verdict.GOOD)

    def unusable(self, event: UnusablePrice) -> None:
        """Count what should have been a price."""
        self.refusals.add(event.symbol, Verdict.UNREADABLE, event.text, self._now_ms())

    def spread_seen(self, guarded: GuardedLeg) -> None:
        """Show the trail the newest book and mark, where it does not know them yet."""
        prices = self.of(guarded.trail.leg.symbol)
        quote, mark = prices.quote, prices.mark
        if quote is not None and (quote.bid, quote.ask) != (guarded.trail.bid, guarded.trail.ask):
            self._feed(guarded, ev.QuoteSeen(quote.bid, quote.ask, quote.at_ms))
        if mark is not None and mark.mark != guarded.trail.mark:
            self._feed(guarded, ev.MarkSeen(mark.mark, mark.at_ms))

    # --- gaps ----------------------------------------------------------------------------
    def hold(self, symbol: str) -> None:
        """Let the live prices of a symbol wait."""
        self.of(symbol).held = Backlog()

    def release(self, symbol: str, filled_until_ms: int | None) -> None:
        """Tell what waited.

        Prices of the span that was filled are part of the gap, and close nothing; later ones decide
        as ever. None where the gap could not be filled in time.
        """
        prices = self.of(symbol)
        held, prices.held = prices.held, None
        if held is None:
            return
        now_ms = self._now_ms()
        for event in held.events():
            if filled_until_ms is None or event.at_ms > filled_until_ms:
                self._sort(prices, event, fresh=now_ms - event.at_ms <= STALE_MS)
                continue
            kind, price = _kind(event), _value(event)
            for guarded in self._legs_of(symbol):
                trail = guarded.trail
                if trail.policy.trigger_price == kind and event.at_ms >= trail.adopted_at_ms:
                    self._feed(guarded, ev.PriceBackfilled(price, event.at_ms))

    # --- health --------------------------------------------------------------------------
    def quality(self) -> dict[str, dict[str, int]]:
        """How many prices were refused, by symbol and verdict."""
        found: dict[str, dict[str, int]] = {}
        for (symbol, verdict), count in sorted(
            self.refusals.counts.items(), key=lambda row: (row[0][0], row[0][1].value)
        ):
            found.setdefault(symbol, {})[verdict.value] = count
        return found

    def health(self, mode: Literal["stream", "poll"], counts: StreamCounts) -> FeedHealth:
        """How the prices come in at this moment."""
        now_ms = self._now_ms()
        market = self.streams.get("market")
        silent, frozen = self.silent(), self.frozen()
        blind = bool(silent or frozen) or (market is not None and not market.up)
        return FeedHealth(
            mode=mode,
            polling=bool(self.watched) and (mode == "poll" or blind),
            streams=dict(self.streams),
            silent=() if mode == "poll" else tuple(sorted(silent)),
            frozen=tuple(sorted(frozen)),
            delay_stream=self.delay_stream.read(now_ms),
            delay_polling=self.delay_polling.read(now_ms),
            refused=self.quality(),
            connects=dict(counts.connects),
            recent_connects=counts.recent_connects,
            conflated=counts.conflated,
            waiting=counts.waiting,
            polls=self.polls,
            failed_polls=self.failed_polls,
            gaps_filled=self.gaps_filled,
            gaps_unfilled=self.gaps_unfilled,
        )

    # --- judging and sorting ---------------------------------------------------------------
    def _judged(self, prices: SymbolPrices, event: Price, now_ms: int) -> Verdict:
        match event:
            case LastPrice():
                verdict = prices.trades.judge(event, now_ms)
            case MarkPrice():
                verdict = prices.marks.judge(event, now_ms)
            case _:
                verdict = prices.quotes.judge(event, now_ms)
        if verdict not in ACCEPTED:
            self._refuse(event, verdict, now_ms)
        return verdict

    def _refuse(self, event: Price, verdict: Verdict, now_ms: int) -> None:
        what = f"{event.bid}/{event.ask}" if isinstance(event, Quote) else f"{_value(event)}"
        self.refusals.add(event.symbol, verdict, what, now_ms)

    def _sort(self, prices: SymbolPrices, event: Price, *, fresh: bool) -> None:
        match event:
            case Quote(symbol):
                prices.quote = event
                self._witness(symbol, ev.QuoteSeen(event.bid, event.ask, event.at_ms))
            case MarkPrice():
                prices.mark = event
                if prices.held is None:
                    self._on_mark(event, fresh=fresh)
                else:
                    prices.held.add(event)
            case LastPrice() if prices.held is None:
                self._on_trade(event, fresh=fresh)
            case LastPrice():
                prices.held.add(event)

    def _on_trade(self, trade: LastPrice, *, fresh: bool) -> None:
        event = ev.PriceSeen(trade.price, trade.at_ms, "trade", fresh)
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

    def _on_mark(self, mark: MarkPrice, *, fresh: bool) -> None:
        for guarded in self._legs_of(mark.symbol):
            if guarded.trail.policy.trigger_price == "mark":
                self._feed(guarded, ev.PriceSeen(mark.mark, mark.at_ms, "mark", fresh))
            elif guarded.trail.jump is not None:
                self._feed(guarded, ev.MarkSeen(mark.mark, mark.at_ms))


def _kind(event: LastPrice | MarkPrice) -> Kind:
    return "last" if isinstance(event, LastPrice) else "mark"


def _value(event: LastPrice | MarkPrice) -> Decimal:
    return event.price if isinstance(event, LastPrice) else event.mark


def _note(prices: SymbolPrices, event: Price, now_ms: int) -> None:
    """Remember what the stream says, and since when it says so."""
    if isinstance(event, Quote):
        return
    kind, value = _kind(event), _value(event)
    told = prices.told.get(kind)
    if told is None or told.value != value:
        prices.told[kind] = Resting(value, now_ms)


def _tell_refused(symbol: str, verdict: Verdict, count: int, what: str) -> None:
    _log.warning("price_refused", symbol=symbol, why=verdict.value, price=what, count=count)
