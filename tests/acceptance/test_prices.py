"""Prices by asking: as a mode of its own, and where a stream is away."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.acceptance.exchanges import Call
from tests.acceptance.table import SIGNS
from trailstop.domain.position import Cause
from trailstop.feeds.health import FeedHealth

pytestmark = pytest.mark.usefixtures("one_way")

D = Decimal
POLL = ["[feed]", 'mode = "poll"']
POLICY = "update_interval_seconds = 1\nmin_improvement_percent = 0.01"
CANDLES = {
    "binance": Call("GET", "/fapi/v1/klines"),
    "bybit": Call("GET", "/v5/market/kline"),
}
TICKERS = {
    "binance": Call("GET", "/fapi/v2/ticker/price"),
    "bybit": Call("GET", "/v5/market/tickers"),
}
POLL_S = 5
A_MINUTE_S = 60 + POLL_S + 2


def feed(table, account) -> FeedHealth:
    accounts = table.daemon._accounts  # noqa: SLF001
    return next(row for row in accounts if row.venue.account == account).feed_health()


async def between_polls(table, price, back_to):
    """A price that is there and gone before anybody asks."""
    asked = table.served(TICKERS[table.exchange.name])
    await table.until(lambda: table.served(TICKERS[table.exchange.name]) > asked)
    await table.wait(1)
    table.printing = False
    table.price(price)
    await table.wait(0.5)
    table.price(back_to)
    table.printing = True


def test_polling_trails_without_a_socket_of_prices(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        for gain in ("2", "3", "4"):
            table.price(table.up(side, gain))
            await table.wait(POLL_S + 2)
            assert table.working(side).price == table.behind(side, table.up(side, gain), "0.5")
        health = feed(table, side)
        assert health.mode == "poll"
        assert health.polling
        assert {name for name, count in health.connects.items() if count} == {"private"}
        assert health.delay_polling.count
        assert health.delay_polling.max_ms < 2_000
        assert health.delay_stream.count == 0
        # The account's own stream is as quick as ever.
        table.open(side)
        await table.wait(1)
        assert table.working(side).quantity == D("0.2")
        table.assert_never_bare()

    sit(story, policy=POLICY, lines=POLL)


def test_polling_follows_a_high_between_two_polls_by_the_closed_candle(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(A_MINUTE_S)
        peak = table.up(side, "2.8")
        await between_polls(table, peak, table.up(side, "2.5"))
        await table.wait(A_MINUTE_S)
        assert table.status(side).peak == peak
        assert table.working(side).price == table.behind(side, peak, "0.5")
        assert abs(table.amount(side)) == D("0.1")
        table.assert_never_bare()

    sit(story, policy=POLICY, lines=POLL)


def test_polling_closes_where_the_exact_stop_was_crossed_between_two_polls(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(A_MINUTE_S)
        await between_polls(table, table.up(side, "5"), table.up(side, "3"))
        await table.wait(A_MINUTE_S)
        assert table.amount(side) == 0
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.CROSSED

    sit(story, policy=POLICY, lines=POLL)


def test_polling_by_the_mark_follows_the_mark(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "3"))
        await table.wait(A_MINUTE_S)
        assert table.gain_of(side, table.working(side).price) > D("1.5")
        table.assert_never_bare()

    sit(story, policy=f'trigger_price = "mark"\n{POLICY}', lines=POLL)


@pytest.mark.parametrize("kind", ["unavailable", "too_many_requests", "empty", "html"])
def test_polls_that_fail_leave_the_stop_and_are_counted(sit, side, kind):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(POLL_S + 2)
        stop = table.working(side)
        table.fault(kind, TICKERS[table.exchange.name], until_ms=table.now_ms + 20_000)
        await table.wait(22)
        assert table.working(side).price == stop.price
        assert abs(table.amount(side)) == D("0.1")
        table.price(table.up(side, "3"))
        await table.wait(30)
        assert table.working(side).price == table.behind(side, table.up(side, "3"), "0.5")
        table.assert_never_bare()

    sit(story, policy=POLICY, lines=POLL)


def test_a_lost_stream_is_stood_in_for_until_it_speaks_again(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        stream = {"binance": "market", "bybit": "public"}[table.exchange.name]
        table.fault("cut", stream=stream, from_ms=table.now_ms, until_ms=table.now_ms + 150_000)
        for gain in ("2", "3", "4"):
            table.price(table.up(side, gain))
            await table.wait(POLL_S + 2)
            assert table.working(side).price == table.behind(side, table.up(side, gain), "0.5")
        peak = table.up(side, "4.4")
        await between_polls(table, peak, table.up(side, "4.2"))
        await table.wait(A_MINUTE_S)
        assert table.status(side).peak == peak, "by the candle, while the stream is away"
        assert feed(table, side).polling
        await table.wait(100)
        polls = feed(table, side).polls
        assert not feed(table, side).polling
        await table.wait(20)
        assert feed(table, side).polls <= polls + 1, "only the comparison of every half minute"
        table.assert_never_bare()

    sit(story, policy=POLICY)


def test_a_quiet_market_is_neither_silent_nor_a_gap(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(3)
        table.printing = False
        before = feed(table, side)
        await table.wait(120)
        after = feed(table, side)
        assert (after.gaps_filled, after.gaps_unfilled) == (before.gaps_filled, 0)
        stream = {"binance": "market", "bybit": "public"}[table.exchange.name]
        assert after.connects[stream] == before.connects[stream]
        assert after.polls - before.polls == 4
        assert after.refused == before.refused

    sit(story)


def test_what_a_gap_costs_is_bounded_where_its_reads_hang(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        await table.wait(3)
        stop = table.working(side)
        stream = {"binance": "market", "bybit": "public"}[table.exchange.name]
        table.fault("lost_request", table.exchange.read_trades, cut=False)
        table.fault("cut", stream=stream, from_ms=table.now_ms, until_ms=table.now_ms + 1_000)
        await table.wait(3)
        table.price(table.up(side, "3"))
        await table.wait(1)
        assert table.working(side).price == stop.price, "live prices wait for the gap"
        await table.wait(5)
        assert SIGNS[side] * (table.working(side).price - stop.price) > 0, "and not for ever"
        table.assert_never_bare()

    sit(story, policy=POLICY)
