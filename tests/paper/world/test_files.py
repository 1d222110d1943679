"""Files of prices: every known form, what is refused, and what a market is derived from it."""

from __future__ import annotations

import gzip
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from trailstop.errors import DataError
from trailstop.paper.model import Market
from trailstop.paper.prices.files import load_tapes
from trailstop.paper.prices.tape import FundingRate, MarkPrice, Point, Print, Quote
from trailstop.paper.settings import WorldSettings
from trailstop.recorded.names import symbol_in

SETTINGS = WorldSettings()
RECORDED = Path(__file__).parents[4] / "shared" / "market-data"
QUOTE_BARS = (
    "open_time_ms,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close\n"
    "1700000040000,10.5,10.7,10.4,10.6,10.6,10.8,10.5,10.7\n"
)
BARS = "open_time_ms,open,high,low,close,volume\n"
BAR_ROWS = "1700000040000,10.5,10.70,10.4,10.6,4\n1700000100000,10.6,10.6,10.25,10.3,12\n"


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("inside.csv", text)
    else:
        path.write_text(text)
    return path


def points_of(*paths: Path, **window: int) -> list[Point]:
    (tape,) = load_tapes(paths, SETTINGS, **window)
    return list(tape.points)


def market_of(path: Path, **window: int) -> Market:
    (tape,) = load_tapes([path], SETTINGS, **window)
    return tape.market


@pytest.mark.parametrize("name", ["x_BTCUSDT_1m.csv", "x_BTCUSDT_1m.csv.gz", "BTCUSDT-1m.zip"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(BARS + BAR_ROWS, id="recorded"),
        pytest.param(
            "timestamp,open,high,low,close,volume\n"
            "2023-11-14T22:14:00Z,10.5,10.70,10.4,10.6,4\n"
            "2023-11-14 22:15:00,10.6,10.6,10.25,10.3,12\n",
            id="plain with ISO times",
        ),
        pytest.param(
            "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
            "taker_buy_volume,taker_buy_quote_volume,ignore\n"
            "1700000040000,10.5,10.70,10.4,10.6,4,1700000099999,1,1,1,1,0\n"
            "1700000100000,10.6,10.6,10.25,10.3,12,1700000159999,1,1,1,1,0\n",
            id="archive with header",
        ),
        pytest.param(
            "1700000040000000,10.5,10.70,10.4,10.6,4,1,1,1,1,1,0\n"
            "1700000100000000,10.6,10.6,10.25,10.3,12,1,1,1,1,1,0\n",
            id="archive without header in microseconds",
        ),
        pytest.param(
            "start,open,high,low,close,volume\n"
            "1700000040,10.5,10.70,10.4,10.6,4\n1700000100,10.6,10.6,10.25,10.3,12\n",
            id="seconds",
        ),
    ],
)
def test_every_form_of_bars_gives_the_same_prices(tmp_path, name, text):
    path = write(tmp_path, name, text)
    points = points_of(path)
    assert [point.time_us for point in points] == [
        1_700_000_040_000_000 + 15_000_000 * index for index in range(8)
    ]
    expected = ["10.5", "10.4", "10.70", "10.6", "10.6", "10.6", "10.25", "10.3"]
    assert [point.price for point in points if isinstance(point, Print)] == [
        *map(Decimal, expected)
    ]
    market = market_of(path)
    assert (market.symbol, market.tick_size, market.step_size) == (
        "BTCUSDT",
        Decimal("0.01"),
        Decimal(1),
    )


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "trade_time_ms,event_time_ms,recv_ns,trade_id,price,qty,buyer_is_maker,order_type\n"
            "1700000040001,1,1,7,10.5,2,true,MARKET\n1700000040002,1,1,8,10.6,3,false,MARKET\n",
            id="recorded trades",
        ),
        pytest.param(
            "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,"
            "is_buyer_maker\n"
            "7,10.5,2,1,1,1700000040001,true\n8,10.6,3,2,2,1700000040002,false\n",
            id="aggregate trades with header",
        ),
        pytest.param(
            "7,10.5,2,1,1,1700000040001,True,True\n8,10.6,3,2,2,1700000040002,False,True\n",
            id="aggregate trades of spot without header",
        ),
        pytest.param(
            "7,10.5,2,21,1700000040001000,true\n8,10.6,3,31.8,1700000040002000,false\n",
            id="trades without header in microseconds",
        ),
        pytest.param(
            "7,10.5,2,21,1700000040001,True,True\n8,10.6,3,31.8,1700000040002,False,True\n",
            id="trades of spot without header",
        ),
        pytest.param(
            "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,"
            "foreignNotional\n"
            "1700000040.001,BTCUSDT,Sell,2,10.5,PlusTick,a,1,1,1\n"
            "1700000040.002,BTCUSDT,Buy,3,10.6,PlusTick,b,1,1,1\n",
            id="Bybit archive",
        ),
    ],
)
def test_every_form_of_trades_gives_the_same_prints(tmp_path, text):
    points = points_of(write(tmp_path, "BTCUSDT-trades-2023-11-14.csv.gz", text))
    assert points == [
        Print(1_700_000_040_001_000, Decimal("10.5"), Decimal(2), True),
        Print(1_700_000_040_002_000, Decimal("10.6"), Decimal(3), False),
    ]


def test_zero_prices_of_the_trade_stream_are_dropped_and_counted(tmp_path):
    text = (
        "trade_time_ms,trade_id,price,qty,buyer_is_maker\n"
        "1700000040001,7,10.5,2,true\n1700000040002,8,0.0,0.0,true\n"
    )
    (tape,) = load_tapes([write(tmp_path, "TRXUSDT.csv", text)], SETTINGS)
    assert tape.refused_rows == 1
    assert len(list(tape.points)) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BARS + BAR_ROWS + "1700000160000,10,x,9,10,1\n", ("line 4", "high", "'x'")),
        (BARS + BAR_ROWS + "1700000160000,10,nan,9,10,1\n", ("line 4", "high")),
        (BARS + BAR_ROWS + "1700000160000,10,9,9,10,1\n", ("line 4", "between low and high")),
        (BARS + BAR_ROWS + "1700000160000,10,11,0,10,1\n", ("line 4", "lowest price is 0")),
        (BARS + BAR_ROWS + "1700000160000,10\n", ("line 4", "2 columns")),
        (BARS + BAR_ROWS + "soon,10,11,9,10,1\n", ("line 4", "'soon' is no time")),
        (BARS + BAR_ROWS + "1700000100000,10,11,9,10,1\n", ("line 4", "not after")),
        ("when,what\n1,2\n", ("line 1", "unknown")),
        (QUOTE_BARS, ("bars of bid and ask", "give bars of traded prices")),
        ("", ("empty",)),
        ("\xff\xfe,,", ("line 1", "unknown")),
        (BARS, ("no rows",)),
    ],
)
def test_a_bad_file_is_one_clear_line_that_names_file_and_line(tmp_path, text, words):
    path = write(tmp_path, "BTCUSDT-1m.csv", text)
    with pytest.raises(DataError) as told:
        load_tapes([path], SETTINGS)
    message = str(told.value)
    assert "\n" not in message
    assert path.name in message
    assert all(word in message for word in words), message


def test_a_window_without_rows_is_one_line(tmp_path):
    path = write(tmp_path, "BTCUSDT-1m.csv", BARS + BAR_ROWS)
    with pytest.raises(DataError, match="no row of BTCUSDT lies in the time asked for"):
        load_tapes([path], SETTINGS, from_us=1_800_000_000_000_000)


def test_a_missing_file_and_a_broken_archive_are_one_line(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        load_tapes([tmp_path / "BTCUSDT.csv"], SETTINGS)
    broken = tmp_path / "BTCUSDT.csv.gz"
    broken.write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be read"):
        load_tapes([broken], SETTINGS)
    cut = tmp_path / "ETHUSDT.csv.gz"
    cut.write_bytes(gzip.compress((BARS + BAR_ROWS * 100).encode())[:60])
    with pytest.raises(DataError, match="cannot be read"):
        load_tapes([cut], SETTINGS)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("binance-spot_BCHUSDT_1m_20210420_20210520.csv.gz", "BCHUSDT"),
        ("BTCUSDT-1m-2024-01-01.zip", "BTCUSDT"),
        ("BTCUSDT2020-03-25.csv.gz", "BTCUSDT"),
        ("1000PEPEUSDT-trades-2024-01-01.csv", "1000PEPEUSDT"),
        ("binance-spot_XTZBTC_1m_20200207_20200315.csv.gz", "XTZBTC"),
        ("prices.csv", None),
    ],
)
def test_the_symbol_comes_from_the_name(name, symbol):
    assert symbol_in(name) == symbol


def test_a_window_selects_rows_and_the_grid_fits_all_from_its_start(tmp_path):
    rows = "1699999980000,10.12345,10.2,10,10.1,1\n" + BAR_ROWS
    path = write(tmp_path, "BTCUSDT-1m.csv", BARS + rows)
    assert market_of(path).tick_size == Decimal("0.00001")
    start, end = 1_700_000_040_000_000, 1_700_000_100_000_000
    assert market_of(path, from_us=start).tick_size == Decimal("0.01")
    times = [point.time_us for point in points_of(path, from_us=start, until_us=end)]
    assert times[0] == start
    assert len(times) == 4


def test_prices_without_decimals_have_a_coarse_tick(tmp_path):
    path = write(tmp_path, "BTCUSDT-1m.csv", BARS + "1700000040000,61000,61500,60900,61200.0,0\n")
    market = market_of(path)
    assert market.tick_size == 100
    assert market.step_size == Decimal("0.0001"), "1 000 at 61 000 has three digits"


def test_books_marks_and_funding_accompany_the_prices_of_their_symbol(tmp_path):
    trades = "trade_time_ms,price,qty,buyer_is_maker\n1700000040005,10.5,2,true\n"
    book = (
        "update_id,event_time_ms,transact_time_ms,recv_ns,bid_px,bid_qty,ask_px,ask_qty\n"
        "1,1700000040005,1700000040005,1,10.4,1,10.55,2\n"
    )
    marks = "open_time_ms,open,high,low,close\n1700000040000,10,11,9,10\n"
    funding = "funding_time_ms,funding_rate\n1700000040001,0.0002\n"
    (tape,) = load_tapes(
        [
            write(tmp_path, "x_BTCUSDT_trades.csv", trades),
            write(tmp_path, "x_BTCUSDT_bookticker.csv", book),
            write(tmp_path, "x_BTCUSDT_1m-mark_.csv", marks),
            write(tmp_path, "x_BTCUSDT_funding.csv", funding),
        ],
        SETTINGS,
    )
    assert (tape.has_book, tape.has_mark, tape.has_funding) == (True, True, True)
    assert tape.market.tick_size == Decimal("0.01"), "the book is finer than the trades"
    kinds = [type(point) for point in tape.points]
    assert kinds == [MarkPrice, FundingRate, Quote, Print, MarkPrice, MarkPrice, MarkPrice]


def test_quotes_without_a_time_of_the_exchange_are_moved_by_the_recorders_error(tmp_path):
    trades = (
        "trade_time_ms,recv_ns,price,qty,buyer_is_maker\n"
        "1700000040500,1700000039200000000,10.5,2,true\n"
    )
    book = (
        "update_id,event_time_ms,transact_time_ms,recv_ns,bid_px,bid_qty,ask_px,ask_qty\n"
        "1,,,1700000039100000000,10.4,1,10.6,2\n"
    )
    points = points_of(
        write(tmp_path, "BTCUSDT_trades.csv", trades), write(tmp_path, "BTCUSDT_book.csv", book)
    )
    assert [point.time_us for point in points] == [1_700_000_040_400_000, 1_700_000_040_500_000]


def test_files_of_one_symbol_follow_each_other_and_may_not_overlap(tmp_path):
    first, second = BAR_ROWS.splitlines(keepends=True)
    late = write(tmp_path, "BTCUSDT-1m-2.csv", BARS + second)
    early = write(tmp_path, "BTCUSDT-1m-1.csv", BARS + first)
    assert len(points_of(late, early)) == 8
    with pytest.raises(DataError, match="overlaps"):
        load_tapes([early, write(tmp_path, "BTCUSDT-1m-3.csv", BARS + BAR_ROWS)], SETTINGS)


def test_a_book_alone_has_no_prices(tmp_path):
    book = "update_id,transact_time_ms,bid_px,bid_qty,ask_px,ask_qty\n1,1700000040000,1,1,2,1\n"
    with pytest.raises(DataError, match="traded prices"):
        load_tapes([write(tmp_path, "BTCUSDT-book.csv", book)], SETTINGS)


@pytest.mark.parametrize(
    ("name", "tick", "step", "refused"),
    [
        ("ohlcv/binance-usdm_LAYERUSDT_1m_20250504_20250603.csv.gz", "0.0001", "0.1", 0),
        ("ohlcv/bybit-linear_SOLUSDT_5m_20250924_20251231.csv.gz", "0.01", "0.1", 0),
        ("ticks/binance-usdm_BTCUSDT_20240808T2354_trades.csv.gz", "0.1", "0.001", 0),
        ("ticks/binance-usdm_TRXUSDT_20250304_trades.csv.gz", "0.00001", "1", 1),
        ("ticks/binance-spot_XRPETH_20191011_aggtrades.csv.gz", "1E-8", "1", 0),
    ],
)
def test_recorded_files(name, tick, step, refused):
    path = RECORDED / name
    if not path.exists():
        pytest.skip("the recorded market data is not here")
    (tape,) = load_tapes([path], SETTINGS)
    market = tape.market
    assert (market.tick_size, market.step_size) == (Decimal(tick), Decimal(step))
    assert tape.refused_rows == refused
    times = [point.time_us for point in tape.points]
    assert times == sorted(times)
