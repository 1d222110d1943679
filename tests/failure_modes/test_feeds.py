"""Prices and streams: what they leave out, repeat, twist or stop telling."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import random
from csv import DictReader
from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.exchanges import Call
from tests.acceptance.table import SIGNS
from tests.venues.scripted import play_venue
from trailstop.domain.position import Cause, Phase
from trailstop.feeds.health import FeedHealth
from trailstop.ports import MarkPrice, Quote, UnusablePrice
from trailstop.venues.bybit import wire
from trailstop.venues.bybit.tickers import Tickers

pytestmark = pytest.mark.usefixtures("one_way")

D = Decimal
BURST = 20_000
AT_ONCE = 19_900
TICKS = (
    Path(__file__).parents[3]
    / "shared"
    / "market-data"
    / "ticks"
    / "binance-usdm_BTCUSDT_20240808T2354_trades.csv.gz"
)
MARKET = {"binance": "market", "bybit": "public"}
"""The stream that tells trades and marks."""
TRADE = {"binance": ("aggTrade", "p"), "bybit": ("publicTrade", "p")}
MARK = {"binance": ("markPriceUpdate", "p"), "bybit": ("tickers", "markPrice")}
CANDLES = (Call("GET", "/v5/market/kline"), Call("GET", "/fapi/v1/klines"))
NOTICED_S = 12
"""N, the look once a second, and an answer."""
POLICY = "update_interval_seconds = 1\nmin_improvement_percent = 0.01"
NO_CROSS = "activation_percent = 0.01\ncallback_percent = 1.5"


def feed(table, account) -> FeedHealth:
    accounts = table.daemon._accounts  # noqa: SLF001
    return next(row for row in accounts if row.venue.account == account).feed_health()


async def trailing(table, side, gain="2"):
    """A position far enough in profit that it is trailed."""
    table.open(side)
    await table.wait(2)
    table.price(table.up(side, gain))
    await table.wait(3)
    stop = table.working(side)
    assert stop.price == table.behind(side, table.up(side, gain), "0.5")
    return stop


def market(table, kind, **settings):
    """Something goes wrong with the stream of trades and marks, from now on."""
    seconds = settings.pop("seconds", None)
    if seconds is not None:
        settings["until_ms"] = table.now_ms + int(seconds * 1_000)
    table.fault(kind, stream=MARKET[table.exchange.name], from_ms=table.now_ms, **settings)


# --- market data ---------------------------------------------------------------------------
@pytest.mark.parametrize("value", ["0", "NaN", "", "1e400", "-1", "abc", None])
def test_zero_nan_price_is_refused_and_counted(sit, side, value):
    async def story(table):
        stop = await trailing(table, side)
        for event, field in (TRADE[table.exchange.name], MARK[table.exchange.name]):
            market(table, "tamper", event=event, field=field, value=value, seconds=4)
        await table.wait(6)
        assert abs(table.amount(side)) == D("0.1")
        assert table.working(side).price == stop.price
        refused = feed(table, side).refused.get(table.exchange.symbol, {})
        assert sum(refused.values()) >= 3, refused
        table.price(table.up(side, "3"))
        await table.wait(4)
        assert table.working(side).price == table.behind(side, table.up(side, "3"), "0.5")
        table.assert_never_bare()

    sit(story, policy=POLICY)


def test_zero_nan_price_takes_no_other_value_of_its_frame_with_it():
    tickers = Tickers()
    full = wire.Ticker("BTCUSDT", mark_price="7", bid1_price="6", ask1_price="8")
    tickers.take("snapshot", full, 1)
    row = wire.Ticker("BTCUSDT", mark_price="abc", bid1_price="6.5")
    assert tickers.take("delta", row, 2) == [
        UnusablePrice("BTCUSDT", "mark 'abc' is no price"),
        Quote("BTCUSDT", D("6.5"), D(8), 2),
    ]


@pytest.mark.usefixtures("one_layer")
def test_delta_missing_fields_are_unchanged(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "2"))
        # The mark follows the price by and by.
        await table.wait(30)
        stop = table.working(side)
        assert table.gain_of(side, stop.price) > 1
        for field in ("lastPrice", "markPrice", "bid1Price", "ask1Price"):
            market(table, "tamper", event="tickers", field=field, value=None, share=0.5)
        for gain in ("2.2", "2.1", "2.4", "2.3"):
            table.price(table.up(side, gain))
            await table.wait(15)
        assert abs(table.amount(side)) == D("0.1")
        assert SIGNS[side] * (table.working(side).price - stop.price) > 0
        table.assert_never_bare()

    sit(story, policy=f'trigger_price = "mark"\n{POLICY}')


@pytest.mark.parametrize("seed", range(20))
def test_delta_missing_fields_at_random_tell_what_the_whole_ticker_says(seed):
    chance, tickers, at_ms = random.Random(seed), Tickers(), 0
    whole: dict[str, str] = {}
    assert tickers.take("delta", wire.Ticker("BTCUSDT", mark_price="9"), 0) == []
    for number in range(200):
        at_ms += 1_000
        fields = {"mark_price": "7", "bid1_price": "6", "ask1_price": "8"}
        fields = {name: f"{text}.{chance.randint(1, 9)}" for name, text in fields.items()}
        is_whole = number == 0 or chance.random() < 0.05
        if not is_whole:
            fields = {name: text for name, text in fields.items() if chance.random() < 0.4}
        whole |= fields
        row = wire.Ticker("BTCUSDT", **fields)
        told = tickers.take("snapshot" if is_whole else "delta", row, at_ms)
        assert told == [
            MarkPrice("BTCUSDT", D(whole["mark_price"]), at_ms),
            Quote("BTCUSDT", D(whole["bid1_price"]), D(whole["ask1_price"]), at_ms),
        ]


@pytest.mark.parametrize("mode", ["stream", "poll"])
def test_pre_entry_high_of_the_same_candle_does_not_count(sit, side, mode):
    async def story(table):
        # The candle of the entry has a price 3 % better than the entry's.
        better = D(10_000) * (1 + SIGNS[side] * D("0.03"))
        await table.wait(60 - table.now_ms // 1_000 % 60 + 5)
        table.price(better)
        await table.wait(2)
        table.price(D(10_000))
        await table.wait(1)
        table.open(side)
        await table.wait(2)
        if mode == "stream":
            market(table, "cut", seconds=80)
        # The minute of the entry is over, and its candle is among what could be read.
        await table.wait(100)
        assert abs(table.amount(side)) == D("0.1")
        assert table.gain_of(side, table.working(side).price) == D("-2.00")
        assert table.status(side).peak is None
        table.assert_never_bare()

    sit(story, lines=["[feed]", f'mode = "{mode}"'])


def test_stagnant_price_is_found_by_asking_and_the_stop_stays(sit, side):
    async def story(table):
        stop = await trailing(table, side)
        market(table, "frozen", seconds=120)
        await table.wait(2)
        assert abs(table.amount(side)) == D("0.1")
        table.price(table.up(side, "4"))
        # Two comparisons, the second one soon after the first.
        await table.wait(45)
        (_,) = [row for row in await table.facts("alarmed") if "rests at" in row.text]
        assert feed(table, side).frozen == (table.exchange.symbol,)
        # What is asked for stands in for the stream.
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        assert SIGNS[side] * (table.working(side).price - stop.price) > 0
        await table.wait(120)
        assert feed(table, side).frozen == ()
        table.price(table.up(side, "5"))
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "5"), "0.5")
        table.assert_never_bare()

    sit(story, policy=POLICY)


def test_stagnant_price_is_no_alarm_where_the_market_rests_too(sit, side):
    async def story(table):
        stop = await trailing(table, side)
        await table.wait(200)
        assert await table.facts("alarmed") == []
        assert feed(table, side).frozen == ()
        assert table.working(side).price == stop.price

    sit(story)


def test_thin_book_vs_mark_one_stray_print_raises_nothing(sit, side):
    async def story(table):
        stop = await trailing(table, side)
        # One lot far away; the book and the mark do not follow.
        table.printing = False
        table.price(table.up(side, "6"), book=False)
        await table.wait(0.2)
        table.price(table.up(side, "2"))
        table.printing = True
        await table.wait(5)
        assert table.working(side).price == stop.price
        assert abs(table.amount(side)) == D("0.1")
        table.assert_never_bare()

    sit(story, policy=POLICY)


def test_thin_book_vs_mark_the_mark_can_be_chosen_for_trail_and_trigger(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        stop = table.working(side)
        # A dozen prints of one lot each, far beyond activation on one side and the stop on the
        # other, all within what a jump may be; the book rests, and so does the mark.
        for gain in ("1.9", "1.95", "1.9", "-1.9", "-2.2", "-2.3", "1.9"):
            table.price(table.up(side, gain), book=False)
            await table.wait(0.2)
        assert abs(table.amount(side)) == D("0.1")
        assert table.status(side).phase is Phase.WAITING
        assert table.working(side).price == stop.price
        table.assert_never_bare()

    sit(story, policy=f'trigger_price = "mark"\n{POLICY}')


# --- streams -------------------------------------------------------------------------------
def test_silent_socket_is_noticed_and_prices_are_asked_for(sit, side):
    async def story(table):
        await trailing(table, side)
        market(table, "silence", seconds=90)
        await table.wait(1)
        table.price(table.up(side, "4"))
        await table.wait(NOTICED_S + 4)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        health = feed(table, side)
        assert health.polling
        assert health.delay_polling.count > 0
        await table.wait(100)
        health = feed(table, side)
        assert not health.polling
        assert health.streams["market"].up
        table.price(table.up(side, "5"))
        await table.wait(3)
        assert table.working(side).price == table.behind(side, table.up(side, "5"), "0.5")
        table.assert_never_bare()

    sit(story, policy=POLICY)


def test_silent_socket_of_one_symbol_among_others_that_speak(sit, side):
    async def story(table):
        await trailing(table, side)
        other = table.exchange.other_symbol
        table.open(side, symbol=other)
        await table.wait(2)
        before = feed(table, side).connects
        market(table, "silence", symbol=table.exchange.symbol, seconds=60)
        await table.wait(1)
        table.price(table.up(side, "4"))
        await table.wait(NOTICED_S + 4)
        assert table.working(side).price == table.behind(side, table.up(side, "4"), "0.5")
        health = feed(table, side)
        assert health.silent == (table.exchange.symbol,)
        assert health.connects != before
        assert len(table.ours(side, other)) == 1
        await table.wait(90)
        assert feed(table, side).silent == ()
        table.assert_never_bare()

    sit(story, policy=POLICY)


@pytest.mark.usefixtures("two_layers")
@pytest.mark.parametrize("told", [0, 1, 2])
def test_listenkey_expired_leads_to_a_new_key(sit, side, told):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.printing = False
        table.fault("listen_key_expired", from_ms=table.now_ms + 1_000, count=told)
        # Where nothing tells it the next renewal of the key does.
        await table.wait(5 if told else 21 * 60)
        table.open(side)
        await table.wait(3)
        assert table.working(side).quantity == D("0.2")
        assert table.account_status(side).connected
        table.assert_never_bare()

    sit(story)


@pytest.mark.usefixtures("two_layers")
def test_listenkey_expired_while_the_keep_alive_fails(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.printing = False
        table.fault("unavailable", Call("PUT", "/fapi/v1/listenKey"))
        await table.wait(70 * 60)
        table.open(side)
        await table.wait(8)
        assert table.working(side).quantity == D("0.2")
        table.assert_never_bare()

    sit(story)


@pytest.mark.usefixtures("two_layers")
def test_listenkey_closed_by_other_is_found_by_reading(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(30)
        before = feed(table, side).connects["private"]
        table.fault("listen_key_deleted", from_ms=table.now_ms)
        await table.wait(1)
        table.open(side)
        # A pass of every five seconds, and two more in which the stream may still speak.
        await table.wait(12)
        assert table.working(side).quantity == D("0.2")
        assert feed(table, side).connects["private"] > before
        served = table.served(table.exchange.read_stops)
        table.open(side)
        await table.wait(0.7)
        assert table.working(side).quantity == D("0.3"), "the new stream tells at once"
        assert table.served(table.exchange.read_stops) >= served

    sit(story)


@pytest.mark.parametrize("away_s", [1, 3, 130])
def test_reconnect_gap_of_prices_is_filled_and_closes_nothing(sit, side, away_s):
    async def story(table):
        await trailing(table, side)
        market(table, "cut", seconds=away_s)
        await table.wait(0.3)
        peak = table.up(side, "4")
        table.printing = False
        # High and back within less than a poll.
        table.price(peak)
        await table.wait(0.2)
        table.price(table.up(side, "3.9"))
        table.printing = True
        await table.wait(away_s + 25)
        assert table.status(side).peak == peak
        assert abs(table.amount(side)) == D("0.1")
        assert table.working(side).price == table.behind(side, peak, "0.5")
        assert feed(table, side).gaps_filled >= 1
        table.assert_never_bare()

    sit(story, policy=POLICY)


def test_reconnect_gap_in_which_the_stop_was_crossed_is_told(sit, side):
    async def story(table):
        await trailing(table, side)
        market(table, "cut", seconds=3)
        await table.wait(0.3)
        table.printing = False
        table.price(table.up(side, "6"))
        await table.wait(0.2)
        table.price(table.up(side, "3"))
        table.printing = True
        await table.wait(15)
        # The live stop is far away: the exact one was crossed, and the first live price decides.
        assert table.amount(side) == 0
        (_,) = [row for row in await table.facts("noted") if "crossed during" in row.text]
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.CROSSED

    sit(story, policy=POLICY)


def test_reconnect_gap_whose_prices_cannot_be_read_is_an_alarm(sit, side):
    async def story(table):
        await trailing(table, side)
        for call in (table.exchange.read_trades, *CANDLES):
            table.fault("unavailable", call)
        market(table, "cut", seconds=2)
        await table.wait(30)
        table.price(table.up(side, "3"))
        await table.wait(60)
        assert [row for row in await table.facts("alarmed") if "gap" in row.text]
        # Live prices have waited for a few seconds at most.
        assert table.working(side).price == table.behind(side, table.up(side, "3"), "0.5")
        table.assert_never_bare()

    sit(story, policy=POLICY)


def test_daily_disconnect_of_all_sockets_at_once(sit, side):
    async def story(table):
        await trailing(table, side)
        for _ in range(3):
            table.fault("cut", from_ms=table.now_ms, until_ms=table.now_ms + 50)
            await table.wait(3)
            status = table.account_status(side)
            assert status.connected
            assert all(status.streams.values())
        peak = table.up(side, "4")
        table.price(peak)
        table.open(side)
        await table.wait(3)
        assert table.working(side).quantity == D("0.2")
        assert table.working(side).price == table.behind(side, peak, "0.5")
        table.assert_never_bare()

    sit(story, policy=POLICY)


def test_daily_disconnect_is_forestalled_at_times_of_our_own():
    age_s = 600

    async def scenario(_, venue):
        venue.watch(frozenset({"BTCUSDT"}))
        await asyncio.sleep(1)
        seen = venue.stream_counts().connects
        renewed = {}
        for second in range(1, age_s + 5):
            await asyncio.sleep(1)
            now = venue.stream_counts().connects
            for name, count in now.items():
                if count > seen[name]:
                    renewed.setdefault(name, second)
        return renewed

    long = 1e6
    renewed = play_venue(
        scenario, rotate_seconds=age_s, silence_seconds=long, book_silence_seconds=long
    )
    assert set(renewed) == {"public", "market", "private"}
    assert len(set(renewed.values())) == len(renewed), "all at once"
    assert all(age_s * 0.9 - 1 <= at <= age_s + 1 for at in renewed.values())


def test_reconnect_storm_stays_far_below_the_limits(sit):
    async def story(table):
        table.open("long")
        await table.wait(2)
        before = feed(table, "long").recent_connects
        table.fault("cut", from_ms=table.now_ms, until_ms=table.now_ms + 600_000)
        used = 0
        for _ in range(60):
            await table.wait(10)
            used = max(used, feed(table, "long").recent_connects - before)
        # Two accounts with up to three sockets each, one attempt in eleven seconds at the end.
        sockets = 2 * len(feed(table, "long").connects)
        assert sockets * 10 < used < sockets * 45
        await table.wait(30)
        assert table.account_status("long").connected
        table.price(table.up("long", "3"))
        await table.wait(3)
        assert table.working("long").price == table.behind("long", table.up("long", "3"), "0.5")

    sit(story, policy=POLICY)


@pytest.mark.parametrize("seed", range(3))
def test_event_order_mixed_over_the_streams_changes_no_outcome(sit, side, seed):
    async def story(table):
        table.bare_allowed("a new position is told up to three seconds late")
        table.fault("reordered", stream="private", delay_ms=3_000)
        table.fault("duplicated", stream="private", share=0.5)
        table.open(side)
        await table.wait(3 + seed)
        table.open(side)
        await table.wait(9)
        assert table.working(side).quantity == D("0.2")
        table.price(table.up(side, "2"))
        await table.wait(4)
        table.reduce(side, "0.1")
        await table.wait(9)
        assert table.working(side).quantity == D("0.1")
        table.close(side)
        await table.wait(15)
        assert table.stops(side) == []
        (epoch,) = await table.epochs(side)
        assert epoch.cause is Cause.CLOSED_ELSEWHERE
        table.open(side)
        await table.wait(9)
        assert table.working(side).quantity == D("0.1")
        clocks = table.clocks()
        assert (clocks.loosened, clocks.duplicates) == (0, 0)

    sit(story, policy=POLICY)


@pytest.mark.parametrize("kind", ["late", "reordered", "duplicated", "missing"])
def test_event_order_mixed_of_prices_raises_no_peak_twice(sit, side, kind):
    async def story(table):
        await trailing(table, side)
        market(table, kind, delay_ms=1_500, share=0.5, seconds=40)
        for gain in ("2.5", "2.4", "3", "2.9", "3.2"):
            table.price(table.up(side, gain))
            await table.wait(5)
        await table.wait(25)
        assert table.status(side).peak == table.up(side, "3.2")
        assert table.working(side).price == table.behind(side, table.up(side, "3.2"), "0.5")
        table.assert_never_bare()

    sit(story, policy=POLICY)


# --- more than can be taken ----------------------------------------------------------------
def recorded() -> list[Decimal]:
    if not TICKS.exists():
        pytest.skip("the recorded trades are not here")
    with gzip.open(TICKS, "rt", newline="") as file:
        rows = itertools.islice(DictReader(file), BURST)
        return [price for row in rows if (price := D(row["price"])) > 0]


def generated() -> list[Decimal]:
    chance, price, found = random.Random(20_000), D(10_000), []
    for _ in range(BURST):
        price += D(chance.randint(-5, 5)) / 10
        found.append(price)
    return found


@pytest.mark.parametrize("source", [recorded, generated])
def test_slow_consumer_of_20000_frames_loses_no_high_and_no_low(sit, source):
    async def story(table):
        prices = source()
        table.price(prices[0])
        await table.wait(4)
        for side in ("long", "short"):
            table.open(side)
        await table.wait(3)
        table.printing = False
        for side in ("long", "short"):
            assert table.ours(side)
        # Each print is a frame of its own, and nearly all of them are sent in one instant: the
        # exchange closes the socket of those who leave more than 20 000 waiting.
        for number, price in enumerate(prices):
            if number == AT_ONCE:
                await table.wait(0.001)
            table.world.print_price(table.exchange.symbol, price, False)
        table.paper.exchange.tell()
        await table.wait(3)
        for side, best in (("long", max(prices)), ("short", min(prices))):
            assert table.status(side).peak == best
            assert abs(table.amount(side)) == D("0.1")
            health = feed(table, side)
            assert health.waiting == 0
            assert table.account_status(side).connected
            assert health.connects == dict.fromkeys(health.connects, 1)

    sit(story, policy=NO_CROSS)
