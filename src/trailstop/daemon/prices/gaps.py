"""Prices that were missed are asked for afterwards: after a restart, and when a stream was away.

They raise the peak and close nothing; then one live price decides, and the record says where the
exact stop was crossed meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Literal

import structlog

from trailstop.daemon.account import AccountGuard
from trailstop.daemon.leg import GuardedLeg
from trailstop.daemon.reading.reads import retried
from trailstop.engine import events as ev
from trailstop.engine.rules import MS_PER_MINUTE
from trailstop.engine.trail import Trail
from trailstop.errors import ReadFailed
from trailstop.ports import MarkPrice, Venue
from trailstop.storage.records import Noted

_log = structlog.get_logger("trailstop.recovery")

Source = Literal["last", "mark"]
Missed = list[tuple[Decimal, int]]
"""Prices with their times, oldest first."""


class Gaps:
    """Fills what the trails of one account have missed."""

    def __init__(self, account: AccountGuard) -> None:
        self._account = account

    async def fill(
        self, legs: Sequence[GuardedLeg], *, known: bool = True, since_ms: int | None = None
    ) -> None:
        """Fill the gap of legs of one symbol; where its prices cannot be read it is told.

        `since_ms` is when the stream was last heard; None takes each trail's last accepted price.
        Where it is not `known` whether the position was there all the time, its prices are not.
        """
        account = self._account
        try:
            await self._fill(legs, known=known, since_ms=since_ms)
        except ReadFailed as error:
            account.market.gaps_unfilled += 1
            text = f"the prices of the gap could not be read ({error}); the peak may be too low"
            for guarded in legs:
                now_ms = account.venue.exchange_ms()
                account.feeder.alarm(guarded.trail, "gap_unfilled", text, now_ms)
        else:
            account.market.gaps_filled += 1

    async def minutes(self, legs: Sequence[GuardedLeg], since_ms: int, until_ms: int) -> None:
        """Tell legs of one symbol whole minutes that are over, from `since_ms` to before `until_ms`.

        For prices that are asked for every few seconds: what lay between two of them is in the
        candles. Whoever calls has a live price decide afterwards. Raises: ReadFailed.
        """
        reader = _Reader(self._account.venue, legs[0].trail.leg.symbol)
        for guarded in legs:
            trail = guarded.trail
            begin_ms = max(since_ms, trail.adopted_at_ms)
            first_minute = -(-begin_ms // MS_PER_MINUTE) * MS_PER_MINUTE
            source = trail.policy.trigger_price
            missed: Missed = []
            if begin_ms < first_minute and source == "last":
                end_ms = min(first_minute, until_ms) - 1
                missed += await reader.traded(begin_ms, end_ms, trail.adopted_at_ms)
            if first_minute < until_ms:
                missed += await reader.candles(first_minute, until_ms - 1, source)
            self._tell(guarded, missed)

    def decide(self, guarded: GuardedLeg, price: Decimal, at_ms: int) -> None:
        """Let one live price decide, and note where the exact stop was crossed before."""
        account, trail = self._account, guarded.trail
        # Live prices may have gone on while the gap was being filled.
        at_ms = max(at_ms, trail.price_at_ms)
        if trail.gap_crossed and not guarded.ended:
            # Recorded in one turn with the price that decides, so that it is told once.
            text = f"the exact stop was crossed during the gap; the price now is {price}"
            noted = Noted(trail.leg, trail.epoch, "crossed_during_gap", text, at_ms)
            account.store.record([noted])
            account.hub.publish([noted])
        account.feed(guarded, ev.PriceSeen(price, at_ms, "bar"))

    async def _fill(self, legs: Sequence[GuardedLeg], *, known: bool, since_ms: int | None) -> None:
        account, venue = self._account, self._account.venue
        symbol = legs[0].trail.leg.symbol
        reader = _Reader(venue, symbol)
        missed: list[tuple[GuardedLeg, Missed]] = []
        for guarded in legs:
            trail = guarded.trail
            if trail.price is None or not known:
                continue
            begin_ms = trail.price_at_ms
            if since_ms is not None:
                begin_ms = max(since_ms, trail.adopted_at_ms)
            missed.append((guarded, await _missed(reader, trail, begin_ms)))
        prices: dict[Source, tuple[Decimal, int]] = {}
        for source in {guarded.trail.policy.trigger_price for guarded in legs}:
            asked_ms = venue.exchange_ms()
            prices[source] = await reader.now(source), asked_ms
        for guarded, found in missed:
            self._tell(guarded, found)
            _log.info("gap_filled", leg=str(guarded.trail.leg), prices=len(found))
        account.market.release(symbol, min(at_ms for _, at_ms in prices.values()))
        for guarded in legs:
            price, at_ms = prices[guarded.trail.policy.trigger_price]
            self.decide(guarded, price, at_ms)

    def _tell(self, guarded: GuardedLeg, missed: Missed) -> None:
        for price, at_ms in missed:
            self._account.feed(guarded, ev.PriceBackfilled(price, at_ms))


async def _missed(reader: _Reader, trail: Trail, since_ms: int) -> Missed:
    """Trades to the first whole minute, then candles, then trades of the open minute.

    The millisecond of the last accepted price is read again: it may have had more trades. The mark
    has no trades: there its candles serve from the first minute that the position was there for.
    """
    now_ms = reader.venue.exchange_ms()
    first_minute = -(-since_ms // MS_PER_MINUTE) * MS_PER_MINUTE
    open_minute = now_ms // MS_PER_MINUTE * MS_PER_MINUTE
    if trail.policy.trigger_price == "mark":
        minute = since_ms // MS_PER_MINUTE * MS_PER_MINUTE
        begin_ms = minute if trail.adopted_at_ms <= minute else first_minute
        return await reader.candles(begin_ms, now_ms, "mark") if begin_ms <= now_ms else []
    begun_ms = trail.adopted_at_ms
    prices = await reader.traded(since_ms, min(first_minute, now_ms), begun_ms)
    if first_minute < open_minute:
        prices = prices + await reader.candles(first_minute, open_minute - 1, "last")
    if open_minute >= first_minute:
        prices = prices + await reader.traded(open_minute, now_ms, begun_ms)
    return prices


class _Reader:
    """Reads the past of one symbol; what one leg has asked for serves the others."""

    def __init__(self, venue: Venue, symbol: str) -> None:
        self.venue = venue
        self._symbol = symbol
        self._read: dict[tuple[str, int, int], Missed] = {}

    async def now(self, source: Source) -> Decimal:
        """The newest price. Raises: ReadFailed."""
        if source == "last":
            return await retried(lambda: self.venue.last_price(self._symbol))
        return await retried(self._mark)

    async def _mark(self) -> Decimal:
        for event in await self.venue.prices(frozenset({self._symbol})):
            if isinstance(event, MarkPrice):
                return event.mark
        raise ReadFailed(f"the exchange tells no mark price of {self._symbol}")

    async def traded(self, since_ms: int, until_ms: int, begun_ms: int) -> Missed:
        """Trades of a part of a minute; its candle where the exchange lists them no more.

        That candle serves where the position was there all through its minute. Raises: ReadFailed.
        """
        minute = since_ms // MS_PER_MINUTE * MS_PER_MINUTE
        try:
            return await self._once("trades", since_ms, until_ms, self._trades)
        except ReadFailed:
            if begun_ms > minute:
                raise
            return await self.candles(minute, minute, "last")

    async def candles(self, since_ms: int, until_ms: int, source: Source) -> Missed:
        """Prices of the candles that open in a span. Raises: ReadFailed.

        They do not tell the order of extremes, and none is needed.
        """

        async def read(since_ms: int, until_ms: int) -> Missed:
            bars = await self.venue.bars(self._symbol, 1, since_ms, until_ms, source)
            return [
                (price, bar.at_ms)
                for bar in bars
                for price in (bar.open, bar.high, bar.low, bar.close)
            ]

        return await self._once(source, since_ms, until_ms, read)

    async def _trades(self, since_ms: int, until_ms: int) -> Missed:
        trades = await self.venue.trades(self._symbol, since_ms, until_ms)
        return [(trade.price, trade.at_ms) for trade in trades]

    async def _once(
        self,
        what: str,
        since_ms: int,
        until_ms: int,
        read: Callable[[int, int], Awaitable[Missed]],
    ) -> Missed:
        key = what, since_ms, until_ms
        if key not in self._read:
            self._read[key] = await retried(lambda: read(since_ms, until_ms))
        return self._read[key]
