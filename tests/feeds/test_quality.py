"""What is refused, and how it is counted and told."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trailstop.feeds.health import DelayMeter, Delays
from trailstop.feeds.quality import Refusals, TimedQuality, TradeQuality, Verdict
from trailstop.ports import LastPrice, MarkPrice, Quote

D = Decimal
BAD = ["0", "-1", "NaN", "sNaN", "Infinity", "1e400", "1e-400"]


def trade(price: str, number: int | None, at_ms: int) -> LastPrice:
    return LastPrice("BTCUSDT", D(price), number, at_ms)


@pytest.mark.parametrize("price", BAD)
def test_what_is_no_price_is_absurd_and_leaves_no_trace(price):
    quality = TradeQuality()
    assert quality.judge(trade(price, 9, 9), 9) is Verdict.ABSURD
    assert quality.judge(trade("100", 1, 1), 1) is Verdict.GOOD
    assert TimedQuality().judge(MarkPrice("BTCUSDT", D(price), 1), 1) is Verdict.ABSURD
    assert TimedQuality().judge(Quote("BTCUSDT", D(price), D(1), 1), 1) is Verdict.ABSURD


def test_order_and_age_of_trades_are_judged():
    quality = TradeQuality()
    assert quality.judge(trade("100", 5, 1_000), 1_000) is Verdict.GOOD
    assert quality.judge(trade("100", 5, 1_000), 1_000) is Verdict.REPEATED
    assert quality.judge(trade("100", 4, 1_001), 1_001) is Verdict.LATE
    assert quality.judge(trade("100", 6, 999), 1_001) is Verdict.LATE
    assert quality.judge(trade("100", 7, 1_002), 12_000) is Verdict.STALE


def test_a_price_that_was_asked_for_is_judged_by_its_time():
    quality = TradeQuality()
    assert quality.judge(trade("100", 5, 1_000), 1_000) is Verdict.GOOD
    assert quality.judge(trade("101", None, 900), 1_100) is Verdict.LATE
    assert quality.judge(trade("100", None, 1_000), 1_100) is Verdict.REPEATED
    assert quality.judge(trade("101", None, 1_100), 1_100) is Verdict.GOOD
    assert quality.judge(trade("102", 6, 1_200), 1_200) is Verdict.GOOD


def test_marks_and_books_are_judged_too():
    marks, books = TimedQuality(), TimedQuality()
    assert marks.judge(MarkPrice("BTCUSDT", D(100), 5_000), 5_000) is Verdict.GOOD
    assert marks.judge(MarkPrice("BTCUSDT", D(100), 4_999), 5_000) is Verdict.LATE
    assert marks.judge(MarkPrice("BTCUSDT", D(100), 5_000), 16_000) is Verdict.STALE
    assert books.judge(Quote("BTCUSDT", D(101), D(100), 1), 1) is Verdict.ABSURD
    assert books.judge(Quote("BTCUSDT", D(100), D(100), 1), 1) is Verdict.GOOD


def test_refusals_are_counted_all_and_told_once_a_minute():
    told = []
    refusals = Refusals(lambda *line: told.append(line))
    for second in range(130):
        refusals.add("BTCUSDT", Verdict.LATE, str(second), second * 1_000)
    refusals.add("BTCUSDT", Verdict.ABSURD, "NaN", 1_000)
    assert refusals.of("BTCUSDT") == {Verdict.LATE: 130, Verdict.ABSURD: 1}
    assert told == [
        ("BTCUSDT", Verdict.LATE, 1, "0"),
        ("BTCUSDT", Verdict.LATE, 60, "60"),
        ("BTCUSDT", Verdict.LATE, 60, "120"),
        ("BTCUSDT", Verdict.ABSURD, 1, "NaN"),
    ]


def test_delays_are_those_of_the_last_minute():
    meter = DelayMeter()
    assert meter.read(0) == Delays()
    for second in range(120):
        meter.add(10 if second < 90 else 40, second * 1_000)
    assert meter.read(119_000) == Delays(count=60, mean_ms=25, max_ms=40)
    assert meter.read(300_000) == Delays()
