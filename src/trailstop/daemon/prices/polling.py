"""Connected is not alive: prices are asked for where their stream says nothing, or the same.

One task an account looks once a second. It asks for the prices of symbols whose stream is away,
silent or frozen (or of all of them, where that is the mode), opens streams anew that are up and say
nothing, compares the others with the exchange's answers, and has gaps filled. The stops that
rest on the exchange are left alone by all of this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import structlog

from trailstop.clock import MS_PER_SECOND
from trailstop.daemon.account import AccountGuard
from trailstop.daemon.leg import GuardedLeg
from trailstop.daemon.prices.gaps import Gaps
from trailstop.daemon.prices.market import Kind, Resting
from trailstop.domain.policy import HUNDRED
from trailstop.engine.rules import MS_PER_MINUTE
from trailstop.errors import ReadFailed
from trailstop.feeds.quality import STALE_MS, is_price
from trailstop.ports import LastPrice, MarkPrice, Quote

_log = structlog.get_logger("trailstop.feed")

WATCH_SECONDS = 1.0
HOLD_SECONDS = 5.0
"""Longest time that live prices wait for a gap to be filled; it is then filled behind them."""
REFILL_MS = 30_000
"""Least time between two fillings of one symbol where its stream only paused for a moment."""
GAP_MARGIN_MS = 1_000
"""What the exchange dates before we heard of it: delay, and the error of the clock."""
RENEW_FIRST_MS = 10_000
RENEW_LAST_MS = 600_000
"""Time between two new sockets on account of symbols that stay silent: doubled from the first."""
MINUTES_MAX = 120
"""Candles that are made up for at most, where even asking was impossible for long."""

Told = Sequence[LastPrice | MarkPrice | Quote]


@dataclass(slots=True)
class _Doubt:
    """A value of a stream that a comparison found too far away."""

    resting: Resting
    answer: Decimal


class PriceWatch:
    """Sees to it that the trails of one account have prices, whatever its streams do."""

    def __init__(self, account: AccountGuard) -> None:
        self._account = account
        self._market = account.market
        self._gaps = Gaps(account)
        settings = account.config.feed
        self._mode = settings.mode
        self._poll_ms = int(settings.poll_seconds * MS_PER_SECOND)
        self._check_ms = int(settings.cross_check_seconds * MS_PER_SECOND)
        self._deviation = settings.deviation_percent
        self._next_poll_ms = 0
        self._next_check_ms = account.clock.monotonic_ms() + self._check_ms
        self._next_renew_ms = 0
        self._renew_pause_ms = RENEW_FIRST_MS
        self._doubts: dict[tuple[str, Kind], _Doubt] = {}
        self._filled_ms: dict[str, int] = {}
        self._filling: set[str] = set()
        self._owed_ms: dict[str, int] = {}
        """Since when symbols have gaps that are filled a little later."""
        self._candled_ms: dict[str, int] = {}
        self._failure_told_ms: dict[str, int] = {}
        self._polling = False
        self._market.on_gap = self._gap

    async def run(self) -> None:
        """Look once a second, for ever."""
        while True:
            await self._account.clock.sleep(WATCH_SECONDS)
            await self.turn()

    async def turn(self) -> None:
        """Look once."""
        now_ms = self._account.clock.monotonic_ms()
        watched = self._market.watched
        blind = self._blind()
        self._tell_change(blind)
        if self._mode == "stream":
            self._renew_silent(blind, now_ms)
            for symbol, since_ms in list(self._owed_ms.items()):
                self._gap(symbol, since_ms, False)
        if blind and now_ms >= self._next_poll_ms:
            self._next_poll_ms = now_ms + self._poll_ms
            await self._poll(blind)
        elif watched - blind and self._mode == "stream" and now_ms >= self._next_check_ms:
            self._next_check_ms = now_ms + self._check_ms
            await self._check(watched - blind, now_ms)

    def _blind(self) -> frozenset[str]:
        """Symbols whose prices no stream tells."""
        market = self._market
        if self._mode == "poll":
            return market.watched
        stream = market.streams.get("market")
        if stream is not None and not stream.up:
            return market.watched
        return market.silent() | market.frozen()

    def _tell_change(self, blind: frozenset[str]) -> None:
        if bool(blind) is not self._polling:
            self._polling = bool(blind)
            event = "prices_are_asked_for" if blind else "prices_come_by_stream"
            _log.warning(event, account=self._account.venue.account, symbols=sorted(blind))

    def _renew_silent(self, blind: frozenset[str], now_ms: int) -> None:
        """Open new sockets where a socket that is up leaves symbols out."""
        market = self._market
        silent = market.silent()
        stream = market.streams.get("market")
        if not blind:
            self._renew_pause_ms = RENEW_FIRST_MS
        if not silent or stream is None or not stream.up or now_ms < self._next_renew_ms:
            return
        # Where nothing speaks at all the socket's own watch sees to it.
        if silent == market.watched and self._just_heard(silent):
            return
        _log.warning("symbols_silent", account=self._account.venue.account, symbols=sorted(silent))
        self._renew(now_ms)

    def _just_heard(self, silent: frozenset[str]) -> bool:
        """Whether the last of them fell silent so recently that its socket may still notice."""
        heard_ms = max(self._market.of(symbol).heard_ms for symbol in silent)
        limit_ms = 2 * RENEW_FIRST_MS
        return self._account.venue.exchange_ms() - heard_ms < limit_ms

    def _renew(self, now_ms: int) -> None:
        self._next_renew_ms = now_ms + self._renew_pause_ms
        self._renew_pause_ms = min(2 * self._renew_pause_ms, RENEW_LAST_MS)
        self._account.venue.renew_market()

    # --- asking --------------------------------------------------------------------------
    async def _ask(self, symbols: frozenset[str]) -> Told | None:
        self._market.polls += 1
        try:
            return await self._account.venue.prices(symbols)
        except ReadFailed as error:
            self._market.failed_polls += 1
            self._tell_failed("prices_unread", str(error))
            return None

    def _tell_failed(self, event: str, error: str) -> None:
        """Tell a read that failed, once a minute at most: it is repeated every few seconds."""
        now_ms = self._account.clock.monotonic_ms()
        told_ms = self._failure_told_ms.get(event)
        if told_ms is None or now_ms - told_ms >= MS_PER_MINUTE:
            self._failure_told_ms[event] = now_ms
            failed = self._market.failed_polls
            _log.warning(event, account=self._account.venue.account, error=error, failed=failed)

    async def _poll(self, symbols: frozenset[str]) -> None:
        """Have the answers stand in for the stream."""
        asked_ms = self._account.venue.exchange_ms()
        told = await self._ask(symbols)
        if told is None:
            return
        self._thaw(told)
        over = await self._minutes(symbols, asked_ms)
        for event in told:
            self._market.take_polled(event)
        for event in told:
            if event.symbol in over and not isinstance(event, Quote):
                self._decide(event, asked_ms)

    def _decide(self, event: LastPrice | MarkPrice, at_ms: int) -> None:
        """After candles were told a price of now decides, also where no trade was made since."""
        kind: Kind = "last" if isinstance(event, LastPrice) else "mark"
        price = event.price if isinstance(event, LastPrice) else event.mark
        if not is_price(price):
            return
        for guarded in self._legs(event.symbol):
            if guarded.trail.policy.trigger_price == kind:
                self._gaps.decide(guarded, price, at_ms)

    async def _minutes(self, symbols: frozenset[str], now_ms: int) -> set[str]:
        """Tell the minutes that are over since the last poll; returns whose were told."""
        minute = now_ms // MS_PER_MINUTE * MS_PER_MINUTE
        over: set[str] = set()
        for symbol in sorted(symbols):
            legs = self._legs(symbol)
            prices = self._market.of(symbol)
            since_ms = max(prices.heard_ms, prices.watched_ms, self._candled_ms.get(symbol, 0))
            since_ms = since_ms // MS_PER_MINUTE * MS_PER_MINUTE
            since_ms = max(since_ms, minute - MINUTES_MAX * MS_PER_MINUTE)
            if since_ms >= minute or not legs:
                continue
            try:
                await self._gaps.minutes(legs, since_ms, minute)
            except ReadFailed as error:
                self._tell_failed("candles_unread", f"{symbol}: {error}")
                continue
            self._candled_ms[symbol] = minute
            over.add(symbol)
        return over

    # --- comparing -----------------------------------------------------------------------
    async def _check(self, symbols: frozenset[str], now_ms: int) -> None:
        """Compare what rests on the stream with what the exchange answers."""
        told = await self._ask(symbols)
        if told is None:
            return
        doubts: dict[tuple[str, Kind], _Doubt] = {}
        found: set[str] = set()
        for symbol, kind, answer in self._answers(told):
            resting = self._market.of(symbol).told.get(kind)
            if resting is None or not self._is_off(resting.value, answer):
                continue
            before = self._doubts.get((symbol, kind))
            if before is None or before.resting is not resting:
                doubts[symbol, kind] = _Doubt(resting, answer)
                continue
            prices = self._market.of(symbol)
            if not prices.frozen:
                self._alarm(symbol, kind, resting, answer)
            prices.frozen[kind] = resting
            found.add(symbol)
        self._doubts = doubts
        if doubts:
            # Whoever may be frozen is looked at again soon.
            self._next_check_ms = now_ms + min(self._poll_ms, self._check_ms)
        if found:
            self._next_poll_ms = 0
            self._renew(now_ms)

    def _thaw(self, told: Told) -> None:
        """Believe a stream again that has moved on and agrees."""
        for symbol, kind, answer in self._answers(told):
            prices = self._market.of(symbol)
            stuck, resting = prices.frozen.get(kind), prices.told.get(kind)
            if stuck is None or resting is None or resting is stuck:
                continue
            if not self._is_off(resting.value, answer):
                del prices.frozen[kind]
                if not prices.frozen:
                    _log.info("feed_moves_again", symbol=symbol)
                    self._gap(symbol, stuck.since_ms, True)

    def _answers(self, told: Told) -> list[tuple[str, Kind, Decimal]]:
        """Answers that are prices of now: an old trade says nothing about the stream."""
        now_ms = self._account.venue.exchange_ms()
        found: list[tuple[str, Kind, Decimal]] = []
        for event in told:
            if isinstance(event, Quote) or now_ms - event.at_ms > STALE_MS:
                continue
            kind: Kind = "last" if isinstance(event, LastPrice) else "mark"
            price = event.price if isinstance(event, LastPrice) else event.mark
            if is_price(price):
                found.append((event.symbol, kind, price))
        return found

    def _is_off(self, value: Decimal, answer: Decimal) -> bool:
        return abs(value - answer) * HUNDRED > self._deviation * answer

    def _alarm(self, symbol: str, kind: Kind, resting: Resting, answer: Decimal) -> None:
        text = (
            f"the stream's {kind} price of {symbol} rests at {resting.value} while the exchange "
            f"answers {answer}: it is opened anew and prices are asked for; the stop stays"
        )
        now_ms = self._account.venue.exchange_ms()
        for guarded in self._legs(symbol):
            self._account.feeder.alarm(guarded.trail, "feed_frozen", text, now_ms)

    # --- gaps ----------------------------------------------------------------------------
    def _gap(self, symbol: str, since_ms: int, was_away: bool) -> None:
        """Have what a stream missed filled in, while its live prices wait."""
        now_ms = self._account.clock.monotonic_ms()
        if not self._legs(symbol):
            self._owed_ms.pop(symbol, None)
            return
        since_ms = min(since_ms, self._owed_ms.get(symbol, since_ms))
        filled_ms = self._filled_ms.get(symbol)
        too_soon = filled_ms is not None and now_ms - filled_ms < REFILL_MS and not was_away
        if symbol in self._filling or too_soon:
            self._owed_ms[symbol] = since_ms
            return
        self._owed_ms.pop(symbol, None)
        self._filled_ms[symbol] = now_ms
        self._filling.add(symbol)
        self._market.hold(symbol)
        work = self._fill(symbol, since_ms - GAP_MARGIN_MS)
        self._account.supervisor.spawn(f"gap of {symbol}", work)

    async def _fill(self, symbol: str, since_ms: int) -> None:
        loop = asyncio.get_running_loop()
        patience = loop.call_later(HOLD_SECONDS, self._market.release, symbol, None)
        try:
            legs = self._legs(symbol)
            if legs:
                await self._gaps.fill(legs, since_ms=since_ms)
        finally:
            patience.cancel()
            self._filling.discard(symbol)
            self._market.release(symbol, None)

    def _legs(self, symbol: str) -> list[GuardedLeg]:
        """Guarded legs of a symbol that have had a price."""
        return [guarded for guarded in self._account.on(symbol) if guarded.trail.price is not None]
