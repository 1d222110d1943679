"""Series put together: longer candles, holes, one unit, spans of time, histories of several files."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lab.data.files import BARS, MINUTE_MS, START_MS, minutes, write
from trailstop.errors import ConfigError, DataError
from trailstop.lab.data.history import read_histories, read_history
from trailstop.lab.data.read import read_bars
from trailstop.lab.data.resample import resample, spans_inside
from trailstop.lab.data.shape import Hole, between, holes, holes_in_words, in_unit
from trailstop.lab.data.synthetic import synthetic_bars
from trailstop.lab.exact.task import quantity_at

HOUR_MS = 60 * MINUTE_MS
FULL_HOUR_MS = 1_700_002_800_000


def bars_of(tmp_path, closes, **how):
    return read_bars(write(tmp_path, "BTCUSDT-1m.csv", minutes(closes, **how)))


def test_candles_stand_on_the_grid_of_unix_time_and_only_whole_ones(tmp_path):
    closes = [str(100 + at % 7) for at in range(60)]
    bars = bars_of(tmp_path, closes, start_ms=FULL_HOUR_MS - 7 * MINUTE_MS)
    candles = resample(bars, 15 * MINUTE_MS)
    assert ((candles.open_ms - FULL_HOUR_MS) // MINUTE_MS).tolist() == [0, 15, 30]
    assert candles.interval_ms == 15 * MINUTE_MS
    for number in range(3):
        inside = slice(7 + 15 * number, 22 + 15 * number)
        assert candles.open[number] == bars.open[inside][0]
        assert candles.high[number] == bars.high[inside].max()
        assert candles.low[number] == bars.low[inside].min()
        assert candles.close[number] == bars.close[inside][-1]
        assert candles.volume[number] == 15


def test_a_candle_with_a_hole_is_what_there_is_and_none_is_made_up(tmp_path):
    skip = [*range(5, 10), *range(30, 45), 59]
    bars = bars_of(tmp_path, ["100"] * 75, start_ms=FULL_HOUR_MS, skip=skip)
    candles = resample(bars, 15 * MINUTE_MS)
    assert ((candles.open_ms - FULL_HOUR_MS) // MINUTE_MS).tolist() == [0, 15, 45, 60]
    assert candles.volume.tolist() == [10, 15, 14, 15]


def test_candles_need_a_multiple_and_enough_data(tmp_path):
    bars = bars_of(tmp_path, ["100"] * 20, start_ms=FULL_HOUR_MS)
    assert resample(bars, MINUTE_MS) is bars
    with pytest.raises(ConfigError, match="cannot be made"):
        resample(bars, 90_000)
    with pytest.raises(ConfigError, match="cannot be made"):
        resample(resample(bars, 5 * MINUTE_MS), MINUTE_MS)
    with pytest.raises(DataError, match="too short"):
        resample(bars, HOUR_MS)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), count=st.integers(200, 400), first=st.integers(0, 59))
def test_candles_made_twice_are_candles_made_once(seed, count, first):
    bars = synthetic_bars(seed, count, start_ms=FULL_HOUR_MS - first * MINUTE_MS)
    once = resample(bars, HOUR_MS)
    twice = resample(resample(bars, 5 * MINUTE_MS), HOUR_MS)
    # A first or last piece of five minutes may be cut off, and with it its hour.
    assert set(twice.open_ms) <= set(once.open_ms)
    shared = np.isin(once.open_ms, twice.open_ms)
    for name in ("open", "high", "low", "close"):
        assert (getattr(once, name)[shared] == getattr(twice, name)).all()


def test_finer_bars_are_found_inside_longer_ones(tmp_path):
    fine = bars_of(tmp_path, ["100"] * 30, start_ms=FULL_HOUR_MS, skip=range(10, 15))
    coarse = resample(synthetic_bars(1, 30, start_ms=FULL_HOUR_MS), 5 * MINUTE_MS)
    first, after = spans_inside(coarse, fine)
    assert list(zip(first.tolist(), after.tolist(), strict=True)) == [
        (0, 5), (5, 10), (10, 10), (10, 15), (15, 20), (20, 25),
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="do not fit"):
        spans_inside(fine, coarse)


def test_holes_are_listed_and_told_in_words(tmp_path):
    bars = bars_of(tmp_path, ["100"] * 10, skip=[2, 5, 6])
    assert holes(bars) == (Hole(START_MS + 2 * MINUTE_MS, 1), Hole(START_MS + 5 * MINUTE_MS, 2))
    assert holes_in_words(bars) == (
        "2 holes, 3 of 10 bars are missing (30.0 %), 2 in a row from 2023-11-14 22:19:00: "
        "too many for statistics, since stops act only where there are prices"
    )
    assert holes_in_words(bars_of(tmp_path, ["100"] * 10)) is None
    one = holes_in_words(bars_of(tmp_path, ["100"] * 10, skip=[2]))
    assert one is not None
    assert one.startswith("1 hole, 1 of 10 bars")


def test_a_quote_that_does_not_change_is_no_lack_of_data(tmp_path):
    bars = replace(bars_of(tmp_path, ["100"] * 10, skip=[2, 5, 6]), kind="bid")
    words = holes_in_words(bars)
    assert words is not None
    assert "2 holes, 3 of 10" in words
    assert "statistics" not in words


def test_a_span_of_time_begins_with_its_first_moment_and_ends_before_its_last(tmp_path):
    bars = bars_of(tmp_path, ["100", "101", "102", "103"])
    cut = between(bars, START_MS + MINUTE_MS, START_MS + 3 * MINUTE_MS)
    assert cut.close.tolist() == [101, 102]
    assert between(bars, None, None) is bars
    with pytest.raises(DataError, match="no row lies in the time asked for; there are prices from"):
        between(bars, START_MS + HOUR_MS, None)


def test_a_finer_unit_keeps_every_price(tmp_path):
    bars = bars_of(tmp_path, ["100.5", "101"])
    finer = in_unit(bars, Decimal("0.05"))
    assert finer.close.tolist() == [2010, 2020]
    with pytest.raises(ConfigError, match="does not divide"):
        in_unit(bars, Decimal("0.03"))
    with pytest.raises(ConfigError, match="too fine"):
        in_unit(bars, Decimal("1E-18"))


def test_a_history_is_made_of_all_files_of_its_symbol(tmp_path):
    second = write(
        tmp_path, "b_BTCUSDT_1m.csv", minutes(["101.25"] * 3, start_ms=START_MS + 3 * MINUTE_MS)
    )
    first = write(tmp_path, "a_BTCUSDT_1m.csv", minutes(["100.5"] * 3))
    rates = write(tmp_path, "BTCUSDT-funding.csv", f"calc_time,funding_rate\n{START_MS},0.0001\n")
    history = read_history([second, first, rates])
    assert history.symbol == "BTCUSDT"
    assert history.prices is history.bars
    assert history.bars.close.tolist() == [10_050] * 3 + [10_125] * 3
    assert history.bars.source == ("a_BTCUSDT_1m.csv", "b_BTCUSDT_1m.csv")
    assert history.funding.rates == (Decimal("0.0001"),)
    assert (history.instrument.tick_size, history.notes) == (Decimal("0.01"), ())


def test_bars_of_two_lengths_are_bars_and_finer_ones(tmp_path):
    fine = write(tmp_path, "BTCUSDT_1m.csv", minutes(["100.5"] * 10, start_ms=FULL_HOUR_MS))
    rows = "".join(f"{FULL_HOUR_MS + 300_000 * at},100,101,100,101,5\n" for at in range(2))
    coarse = write(tmp_path, "BTCUSDT_5m.csv", BARS + rows)
    history = read_history([fine, coarse])
    assert (history.bars.interval_ms, history.finer.interval_ms) == (300_000, 60_000)
    assert history.bars.unit == history.finer.unit == Decimal("0.1")
    later = minutes(["100"] * 2, start_ms=FULL_HOUR_MS + 10 * HOUR_MS)
    far = write(tmp_path, "x_BTCUSDT_1m.csv", later)
    with pytest.raises(DataError, match="none of its bars lies in the longer ones"):
        read_history([far, coarse])


def test_quotes_of_receipt_are_moved_as_the_clocks_of_the_trades_differ(tmp_path):
    trades = write(
        tmp_path,
        "BTCUSDT_trades.csv",
        "trade_time_ms,recv_ns,price,qty\n1700000041500,1700000040000000000,10.5,1\n",
    )
    quotes = write(
        tmp_path,
        "BTCUSDT_book.csv",
        "event_time_ms,recv_ns,bid_px,bid_qty,ask_px,ask_qty\n"
        ",1700000040001000000,10.25,1,10.5,1\n",
    )
    history = read_history([trades, quotes])
    assert history.quotes.time_ms.tolist() == [START_MS + 1_501]
    assert history.trades.price.tolist() == [1050]
    assert "moved by 1500 ms" in history.notes[0]


def test_what_was_left_out_and_what_is_missing_is_told_by_the_history(tmp_path):
    path = write(
        tmp_path,
        "BTCUSDT_trades.csv",
        "trade_time_ms,price,qty\n1700000040000,10.5,1\n1700000040001,0,0\n",
    )
    assert read_history([path]).notes == (
        "1 row was left out, first BTCUSDT_trades.csv, line 3: price 0 and quantity 0: no trade",
    )


@pytest.mark.parametrize(
    ("closes", "volume", "overrides", "grid"),
    [
        (["60000.1", "60001"], "0.123", {}, ("0.1", "0.001")),
        (["60000.1", "60001"], "7", {}, ("0.1", "0.001")),
        (["0.00001", "0.00002"], "123456.0", {}, ("0.00001", "1")),
        (["60000.1", "60001"], "1", {"tick_size": "0.25"}, ("0.25", "0.001")),
        (["60000.1", "60001"], "1", {"quantity_step": "0.5"}, ("0.1", "0.5")),
    ],
)
def test_the_grid_is_that_of_the_data_unless_somebody_knows_better(
    tmp_path, closes, volume, overrides, grid
):
    text = minutes(closes).replace(",1\n", f",{volume}\n")
    history = read_history(
        [write(tmp_path, "BTCUSDT-1m.csv", text)],
        instrument_overrides={name: Decimal(value) for name, value in overrides.items()},
    )
    instrument = history.instrument
    assert (instrument.tick_size, instrument.quantity_step) == tuple(map(Decimal, grid))
    assert not history.instrument.tick_size % history.bars.unit


@pytest.mark.parametrize("highest", ["9", "10", "10000", "10001", "10300", "99999", "100001"])
@pytest.mark.parametrize("volume", ["1", "1.5"])
def test_a_value_of_a_thousand_can_be_opened_at_each_price(tmp_path, highest, volume):
    text = minutes(["9", highest, "9", "9"]).replace(",1\n", f",{volume}\n")
    history = read_history([write(tmp_path, "BTCUSDT-1m.csv", text)])
    for price in (Decimal(9), Decimal(highest)):
        value = quantity_at(price, None, history.instrument) * price
        assert Decimal(900) < value <= Decimal(1_000)


def test_limits_of_an_instrument_may_be_given(tmp_path):
    path = write(tmp_path, "BTCUSDT-1m.csv", minutes(["100", "101"]))
    limits = {"min_quantity": Decimal("0.1"), "min_notional": Decimal(5)}
    instrument = read_history([path], instrument_overrides=limits).instrument
    assert (instrument.min_quantity, instrument.min_notional) == (Decimal("0.1"), Decimal(5))
    with pytest.raises(ConfigError, match="a tick of 200 leaves no room for a stop"):
        read_history([path], instrument_overrides={"tick_size": Decimal(200)})
    with pytest.raises(ConfigError, match="did you mean tick_size"):
        read_history([path], instrument_overrides={"tick": Decimal(1)})


def test_files_that_do_not_fit_each_other_are_one_line(tmp_path):
    bars = write(tmp_path, "BTCUSDT-1m.csv", minutes(["100"] * 3))
    same = write(tmp_path, "BTCUSDT-1m-again.csv", minutes(["100"] * 3))
    mark = write(tmp_path, "BTCUSDT-mark.csv", minutes(["100"] * 3))
    other = write(tmp_path, "ETHUSDT-1m.csv", minutes(["100"] * 3))
    trades = write(tmp_path, "BTCUSDT_t.csv", "trade_time_ms,price,qty\n1700000040001,1,1\n")
    rates = write(tmp_path, "BTCUSDT-f.csv", "calc_time,funding_rate\n1700000040001,1\n")
    for paths, words in (
        ([bars, same], "overlaps with"),
        ([bars, mark], "bars of different prices"),
        ([bars, other], "hold BTCUSDT, ETHUSDT; name one"),
        ([bars, trades], "both bars and trades"),
        ([rates], "give a file of prices of BTCUSDT"),
        ([], "no file of prices"),
    ):
        with pytest.raises(DataError, match=words):
            read_history(paths)
    histories = read_histories([bars, other])
    assert [history.symbol for history in histories] == ["BTCUSDT", "ETHUSDT"]


def test_one_symbol_may_be_asked_for_and_names_itself_where_a_file_does_not(tmp_path):
    bars = write(tmp_path, "BTCUSDT-1m.csv", minutes(["100"] * 3))
    other = write(tmp_path, "ETHUSDT-1m.csv", minutes(["10"] * 3))
    nameless = write(tmp_path, "prices.csv", minutes(["5"] * 3))
    assert read_history([bars, other], symbol="ETHUSDT").bars.close.tolist() == [10] * 3
    assert read_history([nameless], symbol="SOLUSDT").symbol == "SOLUSDT"
    with pytest.raises(DataError, match="none of the files holds SOLUSDT"):
        read_history([bars, other], symbol="SOLUSDT")
    with pytest.raises(DataError, match="does not say which market"):
        read_history([nameless])
