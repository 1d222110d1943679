"""What Bybit's public topics tell: merged tickers and numbered trades."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.venues.bybit_sockets import (
    PUBLIC,
    Server,
    heard,
    of,
    payloads,
    play,
    recorded,
    ticker,
    trades,
)
from trailstop.ports import (
    LastPrice,
    MarkPrice,
    Quote,
    StreamState,
    UnusablePrice,
)
from trailstop.venues.bybit import frames, wire
from trailstop.venues.bybit.feed import Feed
from trailstop.venues.bybit.tickers import REMEMBER_MS, REMEMBERED_TRADES, Tickers, Trades

D = Decimal


def test_a_ticker_is_put_together_from_its_snapshot_and_deltas():
    async def scenario(server: Server, feed: Feed):
        feed.watch(frozenset({"BTCUSDT"}))
        await asyncio.sleep(1)
        await ticker(server, "delta", 1, markPrice="1")
        await ticker(server, "snapshot", 2, markPrice="7", bid1Price="6.5", ask1Price="7.5")
        await ticker(server, "delta", 3, indexPrice="9")
        await ticker(server, "delta", 4, bid1Price="6.6")
        await ticker(server, "delta", 5, markPrice="8")
        return await heard(feed, 1)

    told = [event for event in play(scenario) if not isinstance(event, StreamState)]
    assert told == [
        MarkPrice("BTCUSDT", D(7), 2),
        Quote("BTCUSDT", D("6.5"), D("7.5"), 2),
        Quote("BTCUSDT", D("6.6"), D("7.5"), 4),
        MarkPrice("BTCUSDT", D(8), 5),
    ]


def test_a_delta_of_a_new_socket_means_nothing_before_its_snapshot():
    async def scenario(server: Server, feed: Feed):
        feed.watch(frozenset({"BTCUSDT"}))
        await asyncio.sleep(1)
        await ticker(server, "snapshot", 1, markPrice="7", bid1Price="6")
        await server.last(PUBLIC).close()
        await asyncio.sleep(2)
        await ticker(server, "delta", 2, ask1Price="8")
        return await heard(feed, 1)

    assert of(Quote, play(scenario)) == []


FIELDS = {"mark_price": "mark", "bid1_price": "bid", "ask1_price": "ask"}
PRICES = st.sampled_from(["1", "2.50", "3", ""])
ROWS = st.tuples(
    st.sampled_from(["snapshot", "delta", "delta", "delta"]),
    st.dictionaries(st.sampled_from(sorted(FIELDS)), PRICES),
    st.integers(0, 3_000),
)


@given(st.lists(ROWS, max_size=40))
def test_what_was_told_last_is_what_the_merged_ticker_says(given_rows: list):
    tickers, model, told = Tickers(), None, {}
    at_ms = 0
    for kind, fields, passed_ms in given_rows:
        at_ms += passed_ms
        if kind == "snapshot":
            model = {}
        if model is not None:
            model |= fields
        for event in tickers.take(kind, wire.Ticker("BTCUSDT", **fields), at_ms):
            assert event.at_ms == at_ms
            # Nothing is told that only an earlier snapshot said.
            names = (
                ("mark_price",) if isinstance(event, MarkPrice) else ("bid1_price", "ask1_price")
            )
            assert all(model.get(name) for name in names)
            told[type(event)] = event
        if not model:
            continue
        if model.get("mark_price"):
            assert told[MarkPrice].mark == D(model["mark_price"])
            assert at_ms - told[MarkPrice].at_ms < 1_000
        if model.get("bid1_price") and model.get("ask1_price"):
            quote = told[Quote]
            assert (quote.bid, quote.ask) == (D(model["bid1_price"]), D(model["ask1_price"]))


@pytest.mark.parametrize("text", ["abc", "NaN", "0", "-1", "Infinity"])
def test_a_price_that_is_none_is_not_told_and_the_next_one_is(text: str):
    tickers = Tickers()
    tickers.take("snapshot", wire.Ticker("BTCUSDT", mark_price="7"), 1)
    assert tickers.take("delta", wire.Ticker("BTCUSDT", mark_price=text), 2) == [
        UnusablePrice("BTCUSDT", f"mark {text!r} is no price")
    ]
    assert tickers.take("delta", wire.Ticker("BTCUSDT", bid1_price="6"), 3) == []
    assert tickers.take("delta", wire.Ticker("BTCUSDT", mark_price="8"), 4) == [
        MarkPrice("BTCUSDT", D(8), 4)
    ]


def test_a_new_snapshot_replaces_everything():
    tickers = Tickers()
    full = wire.Ticker("BTCUSDT", mark_price="7", bid1_price="6", ask1_price="8")
    assert len(tickers.take("snapshot", full, 1)) == 2
    assert tickers.take("snapshot", wire.Ticker("BTCUSDT", ask1_price="9"), 5_000) == []


def test_a_ticker_older_than_what_was_told_is_not_told():
    tickers = Tickers()
    tickers.take("snapshot", wire.Ticker("BTCUSDT", mark_price="7"), 1_000)
    assert tickers.take("snapshot", wire.Ticker("BTCUSDT", mark_price="6"), 400) == []
    assert tickers.take("delta", wire.Ticker("BTCUSDT", mark_price="8"), 1_100) == [
        MarkPrice("BTCUSDT", D(8), 1_100)
    ]


def test_a_symbol_watched_again_begins_with_a_snapshot():
    async def scenario(server: Server, feed: Feed):
        feed.watch(frozenset({"BTCUSDT", "ETHUSDT"}))
        await asyncio.sleep(1)
        await ticker(server, "snapshot", 1, markPrice="7")
        await asyncio.sleep(1)
        feed.watch(frozenset({"ETHUSDT"}))
        await asyncio.sleep(1)
        feed.watch(frozenset({"BTCUSDT", "ETHUSDT"}))
        await ticker(server, "delta", 2, markPrice="8")
        await ticker(server, "snapshot", 3, markPrice="9")
        return await heard(feed, 1)

    assert [mark.mark for mark in of(MarkPrice, play(scenario))] == [D(7), D(9)]


def test_a_sweep_of_one_millisecond_keeps_its_order_and_repeats_are_dropped():
    async def scenario(server: Server, feed: Feed):
        feed.watch(frozenset({"BTCUSDT"}))
        await asyncio.sleep(1)
        await trades(server, ("f-uuid", "7.0", 5), ("a-uuid", "7.1", 5), ("c-uuid", "7.2", 5))
        await trades(server, ("a-uuid", "7.1", 5), ("b-uuid", "7.3", 6))
        return await heard(feed, 1)

    told = of(LastPrice, play(scenario))
    assert [(trade.price, trade.at_ms) for trade in told] == [
        (D("7.0"), 5),
        (D("7.1"), 5),
        (D("7.2"), 5),
        (D("7.3"), 6),
    ]
    ids = [trade.trade_id for trade in told]
    assert ids == sorted(set(ids))


def test_what_is_remembered_of_trades_is_bounded():
    numbered = Trades()
    for number in range(REMEMBERED_TRADES + 1):
        numbered.take(frames.PublicTrade("BTCUSDT", D(7), 1, str(number)))
    assert numbered.take(frames.PublicTrade("BTCUSDT", D(7), 1, "1")) is None
    assert numbered.take(frames.PublicTrade("BTCUSDT", D(7), 1, "0")) is not None


def test_trades_of_more_than_a_minute_ago_are_forgotten():
    numbered = Trades()
    for number, at_ms in enumerate((1, REMEMBER_MS, REMEMBER_MS + 2)):
        numbered.take(frames.PublicTrade("BTCUSDT", D(7), at_ms, str(number)))
    assert numbered.take(frames.PublicTrade("BTCUSDT", D(7), REMEMBER_MS, "1")) is None
    assert numbered.take(frames.PublicTrade("BTCUSDT", D(7), 1, "0")) is not None


def test_a_strange_trade_does_not_stop_the_others():
    async def scenario(server: Server, feed: Feed):
        feed.watch(frozenset({"BTCUSDT"}))
        await asyncio.sleep(1)
        await trades(server, ("a", "x", 1), ("b", "7", 2))
        await server.last(PUBLIC).send_str('{"topic":"publicTrade.BTCUSDT","data":[{')
        await trades(server, ("c", "8", 3))
        return await heard(feed, 1)

    assert [trade.price for trade in of(LastPrice, play(scenario))] == [D(7), D(8)]


# --- recorded frames ----------------------------------------------------------------------
@recorded
def test_the_recorded_session_of_a_ticker_gives_its_prices():
    (session,) = payloads("ws-session/*linear-tickers*.json")
    tickers, told = Tickers(), []
    for payload in session.values[0]["received"]:
        frame = frames.FRAME(json.dumps(payload))
        told += tickers.take(frame.kind, frames.TICKER(frame.data), frame.at_ms)
    assert told == [
        MarkPrice("BTCUSDT", D("63958.60"), 1786540397684),
        Quote("BTCUSDT", D("63958.60"), D("63958.70"), 1786540397684),
    ]
