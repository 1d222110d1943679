"""Prices in: what a new print, quote, mark or settlement does to a market and its orders."""

from __future__ import annotations

import copy

from trailstop.paper.conditionals import Conditionals
from trailstop.paper.facts import (
    AccountChanged,
    BookMoved,
    KlineMoved,
    MarkMoved,
    TradePrinted,
)
from trailstop.paper.forced import Forced
from trailstop.paper.mark import whole_second
from trailstop.paper.market_state import MarketState
from trailstop.paper.matching import Matcher
from trailstop.paper.model import CLOSED, Account, Book
from trailstop.paper.prices.tape import FundingRate, MarkPrice, Point, Print, Quote
from trailstop.paper.settings import SECOND_US
from trailstop.paper.walk import Walker


class Pricing:
    """Reads the tapes in time order and moves the markets.

    At one instant: candles close, funding settles, the mark is judged, then the tapes' points
    follow in the order of the markets. The mark of a second rests on the prices before it.
    """

    def __init__(self, matcher: Matcher, conditionals: Conditionals, forced: Forced) -> None:
        self._matcher = matcher
        self._forced = forced
        self._walker = Walker(matcher, conditionals)
        self._heads: dict[str, Point | None] = {
            symbol: next(state.tape.points, None) for symbol, state in matcher.states.items()
        }

    @property
    def data_over(self) -> bool:
        """Whether every tape has been read to its end."""
        return all(head is None for head in self._heads.values())

    def next_event_us(self) -> int | None:
        """Time of the next point, candle end, settlement or judged mark."""
        moment: int | None = None
        data_over = True
        for symbol, head in self._heads.items():
            if head is not None:
                data_over = False
                if moment is None or head.time_us < moment:
                    moment = head.time_us
            state = self._matcher.states[symbol]
            watch = state.mark_watch_us
            if watch is not None and (moment is None or watch < moment):
                moment = watch
            end = state.candle_end_us
            if end is not None and (moment is None or end < moment):
                moment = end
        if data_over:
            return moment
        for state in self._matcher.states.values():
            settles = state.settlement_us
            if settles is not None and moment is not None and settles < moment:
                moment = settles
        return moment

    def happen(self, moment: int) -> None:
        """Let everything happen that is due at this instant, which is the present."""
        for state in self._matcher.states.values():
            self._close_candle(state, moment)
            if state.settlement_us is not None and state.settlement_us <= moment:
                self._settle(state, FundingRate(moment, state.market.funding_rate))
        for state in self._matcher.states.values():
            if state.mark_watch_us is not None and state.mark_watch_us <= moment:
                self._judge_mark(state)
        for symbol, state in self._matcher.states.items():
            head = self._heads[symbol]
            while head is not None and head.time_us <= moment:
                self._take(state, head)
                head = next(state.tape.points, None)
            self._heads[symbol] = head

    def print(self, state: MarketState, point: Print, *, book: bool, stray: bool = False) -> None:
        """One trade: book, then print, then everything that its price meets.

        A stray print is a last price and nothing else: book, mark and the path of the prices that
        follow do not know it.
        """
        now_us = self._matcher.now_us
        if book or state.quote is None:
            self._move_book(state, state.spread_book(point.price, now_us))
        if state.price is None:
            state.start_funding(now_us)
        start = point.price if state.settled_price is None else state.settled_price
        state.price = point.price
        if not stray:
            state.settled_price = point.price
            state.mean.put(now_us, point.price)
        state.trade_id += 1
        printed = TradePrinted(
            state.market.symbol,
            point.price,
            point.quantity,
            point.buyer_maker,
            state.trade_id,
            now_us,
        )
        state.remember(printed)
        self._matcher.tell(printed)
        kline = state.candles.put(
            now_us,
            point.price,
            point.quantity,
            taker_buys=not point.buyer_maker,
            trade_id=state.trade_id,
        )
        state.candle_end_us = kline.close_us + 1
        self._matcher.tell(KlineMoved(state.market.symbol, copy.copy(kline), False, now_us))
        self._tell_mark(state)
        self._walker.walk(state, "last", start, point.price, path=point.path)
        if state.mark_watch_us is None and not state.tape.has_mark:
            self.watch_mark(state, newest_only=True)

    def watch_mark(self, state: MarketState, *, newest_only: bool = False) -> None:
        """Judge the mark at the next whole second, if it can come to where it matters."""
        now_us = self._matcher.now_us
        newest = state.settled_price
        if state.tape.has_mark or state.mark_watch_us is not None or newest is None:
            return
        prices = iter((newest,)) if newest_only else state.mark_reach(now_us)
        exposed = self._matcher.ledger.exposed(state.market.symbol)
        for price in prices:
            if state.resting.mark_reached(price) or any(
                self._matcher.ledger.must_liquidate(account, state.market.symbol, price)
                for account in exposed
            ):
                state.mark_watch_us = whole_second(now_us) + SECOND_US
                return

    def _take(self, state: MarketState, point: Point) -> None:
        if state.market.status == CLOSED:
            return
        match state.converted(point):
            case Print() as point:
                self.print(state, point, book=not state.has_recorded_book)
            case Quote() as point:
                state.has_recorded_book = True
                self._move_book(
                    state,
                    Book(
                        point.bid,
                        point.bid_quantity,
                        point.ask,
                        point.ask_quantity,
                        self._matcher.now_us,
                    ),
                )
            case MarkPrice() as point:
                state.own_mark = point.price
                self._judge_mark(state)
            case FundingRate() as point:
                self._settle(state, point)

    def _move_book(self, state: MarketState, book: Book) -> None:
        before = state.quote
        state.quote = book
        if before is None or (before.bid, before.ask, before.bid_quantity, before.ask_quantity) != (
            book.bid,
            book.ask,
            book.bid_quantity,
            book.ask_quantity,
        ):
            self._matcher.tell(
                BookMoved(
                    state.market.symbol,
                    book.bid,
                    book.bid_quantity,
                    book.ask,
                    book.ask_quantity,
                    book.time_us,
                )
            )

    def _judge_mark(self, state: MarketState) -> None:
        """Fire what the mark of this instant meets; look again while it can still meet more."""
        now_us = self._matcher.now_us
        state.mark_watch_us = None
        if state.settled_price is None:
            return
        mark = state.mark(now_us)
        before = state.walked_mark if state.walked_mark is not None else mark
        state.walked_mark = mark
        self._tell_mark(state)
        self._walker.walk(state, "mark", before, mark, path=False)
        for account in self._matcher.ledger.exposed(state.market.symbol):
            if self._matcher.ledger.must_liquidate(account, state.market.symbol, mark):
                self._liquidate(account)
        if any(price != mark for price in state.mark_reach(now_us)):
            self.watch_mark(state)

    def _tell_mark(self, state: MarketState) -> None:
        now_us = self._matcher.now_us
        mark = state.mark(now_us)
        if mark == state.told_mark:
            return
        state.told_mark = mark
        state.mark_candles.put(now_us, mark)
        self._matcher.tell(
            MarkMoved(
                state.market.symbol,
                mark,
                mark,
                state.funding_rate,
                state.next_funding_us(now_us),
                now_us,
            )
        )

    def _close_candle(self, state: MarketState, moment: int) -> None:
        kline = state.candles.current
        if state.candle_end_us is None or state.candle_end_us > moment or kline is None:
            return
        state.candle_end_us = None
        self._matcher.tell(KlineMoved(state.market.symbol, copy.copy(kline), True, moment))

    def _settle(self, state: MarketState, settlement: FundingRate) -> None:
        now_us = self._matcher.now_us
        state.funding_rate = settlement.rate
        if state.price is None:
            return
        paid = self._matcher.ledger.settle_funding(state.market.symbol, settlement.rate, now_us)
        for position in paid:
            account = self._matcher.ledger.accounts[position.account]
            self._matcher.tell(
                AccountChanged(
                    account.key, "FUNDING_FEE", (copy.copy(position),), account.wallet, now_us
                )
            )
        state.start_funding(now_us)

    def _liquidate(self, account: Account) -> None:
        """Cancel what rests beside its positions and close them all at market."""
        open_positions = [row for row in account.positions.values() if row.amount]
        for position in open_positions:
            self._forced.cancel(account.key, position.symbol, position.position_side, "liquidation")
        for position in open_positions:
            self._forced.close(position, "liquidation")
