"""A distance made of candles: they come from the exchange, each once, whatever happens."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import pytest

from tests.acceptance.exchanges import Call
from tests.acceptance.table import SIGNS, START_PRICE, TICK
from trailstop.engine.events import CandleClosed

pytestmark = pytest.mark.usefixtures("one_way")

D = Decimal
LENGTH, TIMES = 3, 2
MINUTE_S, MINUTE_US = 60, 60_000_000
ATR = f"""distance = "atr"
atr_length = {LENGTH}
atr_timeframe_minutes = 1
atr_multiplier = {TIMES}
activation_percent = 1
breakeven_at_percent = "none"
update_interval_seconds = 1
min_improvement_percent = 0.001"""
SETTLED_S = 10
"""A candle is told by then."""
CANDLES = {
    "binance": {
        "last": Call("GET", "/fapi/v1/klines"), "mark": Call("GET", "/fapi/v1/markPriceKlines")
    },
    "bybit": {
        "last": Call("GET", "/v5/market/kline"), "mark": Call("GET", "/v5/market/mark-price-kline")
    },
}  # fmt: skip


async def restless(table, minutes, about=START_PRICE):
    """Minutes of different ranges, about a price."""
    for minute in range(minutes):
        for off in (0, 4 + minute % 3, 0, -3 - 2 * (minute % 2)):
            table.price(about + off)
            await table.wait(MINUTE_S / 4)


def candles(table, until_ms, source="last", minutes=1):
    """High, low and close of each candle that the exchange has closed by then."""
    rows = table.world.klines(table.exchange.symbol, f"{minutes}m", source=source)
    return [(row.high, row.low, row.close) for row in rows if row.close_us < until_ms * 1_000]


def wilder(rows):
    """The average true range, written down once more."""
    ranges, before = [], None
    for high, low, close in rows:
        ranges.append(high - low if before is None else max(high, before) - min(low, before))
        before = close
    average = sum(ranges[:LENGTH]) / LENGTH
    for one in ranges[LENGTH:]:
        average = (average * (LENGTH - 1) + one) / LENGTH
    return average


def stop_behind(side, peak, average):
    exact = peak - SIGNS[side] * TIMES * average
    steps = (exact / TICK).to_integral_value(ROUND_CEILING if side == "long" else ROUND_FLOOR)
    return steps * TICK


async def told(table, side):
    """Every candle that the trail was told, of all starts of the guard."""
    (epoch,) = await table.epochs(side)
    inputs = await table.store.inputs(epoch.leg, epoch.epoch)
    return [event for event in inputs if isinstance(event, CandleClosed)]


@pytest.mark.parametrize("source", ["last", "mark"])
def test_candles_of_before_the_adoption_serve_at_once(sit, side, source):
    async def story(table):
        await restless(table, 5)
        asked_ms = table.now_ms
        table.open(side)
        await table.wait(2)
        rows = candles(table, asked_ms - 2_000, source)
        assert len(rows) >= LENGTH
        assert [(row.high, row.low, row.close) for row in await told(table, side)] == rows
        if source == "last":
            peak = table.up(side, "1.2")
            table.price(peak)
            await table.wait(3)
            assert table.working(side).price == stop_behind(side, peak, wilder(rows))
        table.assert_never_bare()

    sit(story, policy=f'{ATR}\ntrigger_price = "{source}"')


def test_each_candle_that_closes_is_told_once(sit):
    side = "short"

    async def story(table):
        await restless(table, 4)
        table.open(side)
        await restless(table, 5)
        await table.wait(SETTLED_S)
        rows = await told(table, side)
        times = [row.at_ms for row in rows]
        assert times == list(range(times[0], times[-1] + 1, MINUTE_S * 1_000))
        assert times[-1] > table.now_ms - MINUTE_S * 1_000 - SETTLED_S * 1_000
        known = candles(table, times[-1] + 1)
        assert [(row.high, row.low, row.close) for row in rows] == known[-len(rows) :]
        peak = table.up(side, "1.2")
        table.price(peak)
        await table.wait(3)
        assert table.working(side).price == stop_behind(side, peak, wilder(known[-len(rows) :]))

    sit(story, policy=ATR)


@pytest.mark.parametrize("away_minutes", [0, 3])
def test_a_restart_misses_no_candle_and_tells_none_twice(sit, away_minutes):
    side = "long"

    async def story(table):
        await restless(table, 4)
        table.open(side)
        await restless(table, 2)
        await table.stop()
        await restless(table, away_minutes)
        await table.start()
        await restless(table, 2)
        await table.wait(SETTLED_S)
        times = [row.at_ms for row in await told(table, side)]
        assert times == list(range(times[0], times[-1] + 1, MINUTE_S * 1_000))
        assert times[-1] > table.now_ms - MINUTE_S * 1_000 - SETTLED_S * 1_000

    sit(story, policy=ATR)


@pytest.mark.parametrize("kind", ["unavailable", "lost_answer"])
def test_where_candles_cannot_be_read_the_callback_holds_until_they_can(sit, side, kind):
    async def story(table):
        await restless(table, 4)
        call = CANDLES[table.exchange.name]["last"]
        table.fault(kind, call, until_ms=table.now_ms + 60_000)
        table.open(side)
        await table.wait(2)
        peak = table.up(side, "1.2")
        table.price(peak)
        await table.wait(3)
        assert table.working(side).price == table.behind(side, peak, "0.5")
        table.assert_never_bare()
        await table.wait(90)
        assert len(await told(table, side)) >= LENGTH
        higher = table.up(side, "2")
        rows = candles(table, (await told(table, side))[-1].at_ms + 1)
        table.price(higher)
        await table.wait(3)
        assert table.working(side).price == stop_behind(side, higher, wilder(rows))

    sit(story, policy=ATR)


def test_candles_of_a_length_that_no_exchange_lists_are_put_together(sit):
    side = "short"

    async def story(table):
        await restless(table, 5)
        table.open(side)
        await restless(table, 3)
        await table.wait(SETTLED_S)
        rows = await told(table, side)
        minutes = candles(table, rows[-1].at_ms)
        two = [minutes[-4:-2], minutes[-2:]]
        expected = [(max(r[0] for r in pair), min(r[1] for r in pair)) for pair in two]
        assert all(row.at_ms % (2 * MINUTE_S * 1_000) == 0 for row in rows)
        assert [(row.high, row.low) for row in rows[-2:]] == expected

    sit(story, policy=ATR.replace("minutes = 1", "minutes = 2"))


def test_minutes_without_a_trade_are_no_candles_and_are_not_asked_for_for_ever(sit):
    side = "short"

    async def story(table):
        await restless(table, 4)
        table.open(side)
        await table.wait(2)
        table.printing = False
        call = CANDLES[table.exchange.name]["last"]
        await table.wait(70)
        before = table.served(call)
        await table.wait(180)
        assert table.served(call) - before < 20
        table.printing = True
        await restless(table, 2)
        await table.wait(SETTLED_S)
        times = [row.at_ms for row in await told(table, side)]
        assert times == sorted(set(times))
        assert times[-1] > table.now_ms - MINUTE_S * 1_000 - SETTLED_S * 1_000

    sit(story, policy=ATR)
