"""Files of prices as whole units: every known form, every digit, what is refused and why."""

from __future__ import annotations

import gzip
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from tests.lab.data.files import BAR_ROWS, BARS, START_MS, decimals, rows_of, write
from trailstop.domain.price import Side
from trailstop.errors import DataError
from trailstop.lab.data.read import read_bars, read_funding, read_quotes, read_trades
from trailstop.lab.data.write import write_parquet

QUOTE_BARS = (
    "open_time_ms,bid_open,bid_high,bid_low,bid_close,bid_last_size,"
    "ask_open,ask_high,ask_low,ask_close,ask_last_size\n"
    "1700000040000,10.5,10.70,10.4,10.6,4,10.6,10.8,10.5,10.7,1\n"
    "1700000160000,10.6,10.6,10.25,10.3,2,10.7,10.75,10.3,10.4,3\n"
)
TWO_BARS = [
    tuple(map(Decimal, ("10.5", "10.7", "10.4", "10.6"))),
    tuple(map(Decimal, ("10.6", "10.6", "10.25", "10.3"))),
]


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
            ",date,open,high,low,close,volume\n"
            "0,2023-11-15 00:14:00+02:00,10.5,10.70,10.4,10.6,4\n"
            "1,2023-11-15 00:15:00+02:00,10.6,10.6,10.25,10.3,12\n",
            id="table with an index and another zone",
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
        pytest.param(
            "\ufeff" + (BARS + BAR_ROWS).replace("\n", "\r\n") + "\r\n\r\n",
            id="from a spreadsheet, with lines at the end that are empty",
        ),
        pytest.param(
            'timestamp,open,high,low,close,volume\n"1700000040000","10.5","10.70","10.4","10.6",4\n'
            '"1700000100000", 1.06e1 ,+10.6,10.25000000000000000000,10.3,1.2E1\n',
            id="quoted, with spaces, exponents and zeros",
        ),
    ],
)
def test_every_form_of_bars_gives_the_same_prices(tmp_path, name, text):
    bars = read_bars(write(tmp_path, name, text))
    assert (bars.symbol, bars.unit, bars.interval_ms) == ("BTCUSDT", Decimal("0.01"), 60_000)
    assert bars.open_ms.tolist() == [START_MS, START_MS + 60_000]
    assert rows_of(bars) == TWO_BARS
    assert bars.volume.tolist() == [4.0, 12.0]
    assert (bars.kind, bars.source, bars.refused) == ("last", (name,), ())
    with pytest.raises(ValueError, match="read-only"):
        bars.close[0] = 1


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
            "7,10.5,2,21,1700000040001000,true\n8,10.6,3,31.8,1700000040002999,false\n",
            id="trades without header in microseconds",
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
def test_every_form_of_trades_gives_the_same_prices(tmp_path, text):
    trades = read_trades(write(tmp_path, "BTCUSDT-trades-2023-11-14.csv.gz", text))
    assert trades.symbol == "BTCUSDT"
    assert trades.time_ms.tolist() == [START_MS + 1, START_MS + 2]
    assert decimals(trades.price, trades.unit) == [Decimal("10.5"), Decimal("10.6")]


def test_quotes_and_funding_are_read(tmp_path):
    quotes = read_quotes(
        write(
            tmp_path,
            "BTCUSDT-bookTicker.csv",
            "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,"
            "transaction_time,event_time\n1,10.50,2,10.55,3,1700000040001,1700000040002\n",
        )
    )
    assert (quotes.unit, quotes.bid.tolist(), quotes.ask.tolist()) == (
        Decimal("0.01"),
        [1050],
        [1055],
    )
    assert quotes.time_ms.tolist() == [START_MS + 1]
    assert quotes.notes == ()
    funding = read_funding(
        write(
            tmp_path,
            "BTCUSDT-funding.csv",
            "calc_time,funding_interval_hours,last_funding_rate\n"
            "1700006400000,8,0.00010000\n1700035200000,8,-1.2e-05\n",
        )
    )
    assert funding.rates == (Decimal("0.0001"), Decimal("-0.000012"))
    assert funding.time_ms.tolist() == [1_700_006_400_000, 1_700_035_200_000]


def test_the_unit_is_the_finest_decimal_anywhere_in_the_file(tmp_path):
    rows = (
        "1700000040000,0.31546,0.3163364,0.31364,0.31502,1\n"
        "1700000100000,0.4,0.41,0.39,0.40000000,1\n"
    )
    bars = read_bars(write(tmp_path, "DOGEUSDT_1m.csv", BARS + rows))
    assert bars.unit == Decimal("1E-7")
    assert bars.high.tolist() == [3_163_364, 4_100_000]
    whole = read_bars(
        write(tmp_path, "X_BTCUSDT_1m.csv", BARS + "1700000040000,7e4,7e4,7e4,7e4,\n")
    )
    assert (whole.unit, whole.close.tolist(), whole.volume) == (1, [70_000], None)


@pytest.mark.parametrize(
    "prices",
    [
        pytest.param([0.1 + 0.2, 60_000.01, 1e-7, 123.0], id="floats"),
        pytest.param(["0.30000000000000004", "60000.01", "0.0000001", "123"], id="text"),
    ],
)
def test_too_many_digits_beside_a_large_price_name_the_row(tmp_path, prices):
    frame = pl.DataFrame(
        {"timestamp": [START_MS + 60_000 * at for at in range(4)]}
        | dict.fromkeys(("open", "high", "low", "close"), prices)
    )
    path = tmp_path / "BTCUSDT-1m.parquet"
    frame.write_parquet(path)
    with pytest.raises(DataError, match=r"row 1: open is 0\.3000.*4, .* only 11 decimals"):
        read_bars(path)
    bars = read_bars(path, skip_bad=True)
    assert decimals(bars.close, bars.unit) == [Decimal("60000.01"), Decimal("1E-7"), 123]


@pytest.mark.parametrize(
    "dtype",
    [pl.Float64, pl.String, pl.Decimal(20, 8), pl.Float32],
    ids=["float", "text", "decimal", "short float"],
)
@pytest.mark.parametrize(
    "times",
    [
        pytest.param(pl.Series([START_MS, START_MS + 60_000]), id="milliseconds"),
        pytest.param(
            pl.Series([START_MS, START_MS + 60_000]).cast(pl.Datetime("ms", "UTC")), id="instants"
        ),
        pytest.param(
            (pl.Series([START_MS, START_MS + 60_000]) * 1_000_000).cast(pl.Datetime("ns")),
            id="nanoseconds without a zone",
        ),
    ],
)
def test_parquet_gives_the_same_as_text(tmp_path, dtype, times):
    columns = {
        name: pl.Series([text[at] for text in TWO_BARS]).cast(pl.String).cast(dtype)
        for at, name in enumerate(("open", "high", "low", "close"))
    }
    path = tmp_path / "x_BTCUSDT_1m.parquet"
    pl.DataFrame({"timestamp": times, **columns}).write_parquet(path)
    bars = read_bars(path)
    assert bars.open_ms.tolist() == [START_MS, START_MS + 60_000]
    assert rows_of(bars) == TWO_BARS
    assert bars.volume is None


THIRD = "1700000160000,"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BARS + BAR_ROWS + THIRD + "10,x,9,10,1\n", ("line 4", "high", "'x'")),
        (BARS + BAR_ROWS + THIRD + "10,nan,9,10,1\n", ("line 4", "high", "not a number")),
        (BARS + BAR_ROWS + THIRD + "10,,9,10,1\n", ("line 4", "high is missing")),
        (BARS + BAR_ROWS + THIRD + "10,9,9,10,1\n", ("line 4", "between low and high")),
        (BARS + BAR_ROWS + THIRD + "10,11,0,10,1\n", ("line 4", "lowest price is 0")),
        (BARS + BAR_ROWS + THIRD + "10,11,-9,10,1\n", ("line 4", "lowest price is -9")),
        (BARS + BAR_ROWS + THIRD + "10,11,9,10,-1\n", ("line 4", "volume is -1")),
        (BARS + BAR_ROWS + THIRD + "10,11,9,10,many\n", ("line 4", "volume is 'many'")),
        (BARS + BAR_ROWS + THIRD + "1e30,1e30,9,10,1\n", ("line 4", "more digits than a price")),
        (BARS + BAR_ROWS + THIRD + "10\n", ("line 4", "high is missing")),
        (BARS + BAR_ROWS + "\n\nsoon,10,11,9,10,1\n", ("line 6", "'soon' is no time")),
        (BARS + BAR_ROWS + ",10,11,9,10,1\n", ("line 4", "time is missing")),
        (BARS + BAR_ROWS + "1700000100000,10,11,9,10,1\n", ("line 4", "not after")),
        (BARS + BAR_ROWS + "1700000040000,10,11,9,10,1\n", ("line 4", "not after")),
        (
            BARS + BAR_ROWS + "1700000160000,10,11,9,10,1\n1700000190000,10,11,9,10,1\n",
            ("line 5", "begins before the one before it ends"),
        ),
        ("when,what\n1,2\n", ("line 1", "unknown")),
        ("bid_open,bid_high\n1,2\n", ("line 1", "unknown")),
        (QUOTE_BARS, ("best bid and ask", "choose a side: long or short")),
        ("", ("empty",)),
        ("\xff\xfe,,", ("line 1", "unknown")),
        (BARS, ("no rows",)),
        (BARS + '1700000040000,"10.5,10.70,10.4,10.6,4\n', ("not a table of text",)),
    ],
)
def test_a_bad_file_is_one_clear_line_that_names_file_and_line(tmp_path, text, words):
    path = write(tmp_path, "BTCUSDT-1m.csv", text)
    with pytest.raises(DataError) as told:
        read_bars(path)
    message = str(told.value)
    assert "\n" not in message
    assert path.name in message
    assert all(word in message for word in words), message


def test_the_first_bad_row_of_the_file_is_the_one_that_is_named(tmp_path):
    rows = "1700000160000,10,9,9,10,1\n1700000220000,x,9,9,10,1\n"
    with pytest.raises(DataError, match="line 4"):
        read_bars(write(tmp_path, "BTCUSDT-1m.csv", BARS + BAR_ROWS + rows))


def test_bad_rows_may_be_skipped_and_each_is_told(tmp_path):
    rows = (
        "1700000100000,9,9,9,9,1\n"
        "1700000160000,10,x,9,10,1\n"
        "soon,10,11,9,10,1\n"
        "1700000220000,10,9,9,10,1\n"
        "1700000280000,10,11,9,10,1\n"
    )
    path = write(tmp_path, "BTCUSDT-1m.csv", BARS + BAR_ROWS + rows)
    bars = read_bars(path, skip_bad=True)
    assert ((bars.open_ms - START_MS) // 60_000).tolist() == [0, 1, 4]
    assert [line.split(": ")[0] for line in bars.refused] == [
        f"BTCUSDT-1m.csv, line {line}" for line in (4, 5, 6, 7)
    ]
    with pytest.raises(DataError, match="no row of the file can be used; line 2: high is 'x'"):
        read_bars(
            write(tmp_path, "ETHUSDT-1m.csv", BARS + "1700000160000,10,x,9,10,1\n"), skip_bad=True
        )


def test_trades_without_price_or_quantity_are_refused_and_told(tmp_path):
    text = (
        "trade_time_ms,trade_id,price,qty,buyer_is_maker\n1700000040001,7,10.5,2,true\n"
        "1700000040002,8,0.0,0.0,true\n1700000040003,9,10.6,0,true\n1700000040004,10,10.6,1,true\n"
    )
    trades = read_trades(write(tmp_path, "TRXUSDT.csv", text))
    assert trades.price.tolist() == [105, 106]
    assert trades.refused == (
        "TRXUSDT.csv, line 3: price 0.0 and quantity 0.0: no trade",
        "TRXUSDT.csv, line 4: price 10.6 and quantity 0: no trade",
    )


def test_empty_and_crossed_quotes_are_refused_and_locked_ones_kept(tmp_path):
    text = (
        "event_time_ms,bid_px,bid_qty,ask_px,ask_qty\n1700000040001,10.4,1,10.5,1\n"
        "1700000040002,10.6,1,10.5,1\n1700000040003,0,0,10.5,1\n1700000040004,,,10.5,1\n"
        "1700000040005,10.5,1,10.5,1\n"
    )
    quotes = read_quotes(write(tmp_path, "BTCUSDT-book.csv", text))
    assert quotes.bid.tolist() == [104, 105]
    assert [line.split(": ")[0][-6:] for line in quotes.refused] == ["line 3", "line 4", "line 5"]


def test_quotes_without_a_time_of_the_exchange_have_that_of_receipt_and_say_so(tmp_path):
    text = (
        "update_id,event_time_ms,transact_time_ms,recv_ns,bid_px,bid_qty,ask_px,ask_qty\n"
        "1,,,1700000040001500000,10.4,1,10.5,1\n"
    )
    quotes = read_quotes(write(tmp_path, "BTCUSDT_bookticker.csv", text))
    assert quotes.time_ms.tolist() == [START_MS + 1]
    assert "the time of receipt counts" in quotes.notes[0]


def test_a_tick_stamped_before_the_one_before_it_keeps_its_place(tmp_path):
    head = "trade_time_ms,price,qty\n"
    text = head + "1700000040005,10,1\n1700000040003,11,1\n1700000040006,12,1\n"
    trades = read_trades(write(tmp_path, "BTCUSDT.csv", text))
    assert (trades.time_ms - START_MS).tolist() == [5, 5, 6]
    with pytest.raises(DataError, match=r"line 3: the time is 100000 ms before .* sort the rows"):
        read_trades(write(tmp_path, "BTCUSDT.csv", head + "1700000140005,1,1\n1700000040005,1,1\n"))


def test_bars_may_be_of_the_mark_price(tmp_path):
    path = write(tmp_path, "bybit_BTCUSDT_1m-mark_x.csv", BARS + BAR_ROWS)
    assert read_bars(path).kind == "mark"


@pytest.mark.parametrize(
    ("side", "kind", "closes"),
    [(Side.LONG, "bid", ("10.6", "10.3")), (Side.SHORT, "ask", ("10.7", "10.4"))],
)
def test_bars_of_bid_and_ask_are_those_at_which_the_side_leaves(tmp_path, side, kind, closes):
    path = write(tmp_path, "BTCUSDT_1m-quote.csv", QUOTE_BARS)
    bars = read_bars(path, quoted=side)
    assert (bars.kind, bars.interval_ms) == (kind, 60_000)
    assert decimals(bars.close, bars.unit) == [*map(Decimal, closes)]
    assert (bars.high >= bars.close).all()
    assert f"best {kind}, at which a {side.value} leaves" in bars.notes[0]
    kept = tmp_path / "BTCUSDT.parquet"
    write_parquet(bars, kept)
    assert read_bars(kept).kind == kind, "a file of ours says whose prices it has"


def test_a_bad_quote_is_named_as_the_file_names_it(tmp_path):
    path = write(tmp_path, "BTCUSDT_1m-quote.csv", QUOTE_BARS.replace("10.75", "x"))
    assert len(read_bars(path, quoted=Side.LONG)) == 2
    with pytest.raises(DataError, match="line 3: ask_high is 'x', not a number"):
        read_bars(path, quoted=Side.SHORT)


@pytest.mark.parametrize(
    ("name", "starts_s", "interval_ms"),
    [
        ("BTCUSDT.csv", (0, 300, 600, 1200), 300_000),
        ("BTCUSDT_1m_x.csv", (0, 120, 240, 420), 60_000),
        ("BTCUSDT_1h_x.csv", (0, 60, 120), 60_000),
        ("BTCUSDT_5m_x.csv", (0,), 300_000),
        ("BTCUSDT.csv", (0,), 60_000),
    ],
)
def test_the_length_of_a_bar_is_the_usual_distance(tmp_path, name, starts_s, interval_ms):
    rows = "".join(f"{1_700_000_040 + start},10,10,10,10,1\n" for start in starts_s)
    assert read_bars(write(tmp_path, name, BARS + rows)).interval_ms == interval_ms


def test_a_file_of_several_symbols_is_asked_for_one(tmp_path):
    text = (
        "symbol,trade_time_ms,price,qty\nBTCUSDT,1700000040001,60000.5,1\n"
        "ETHUSDT,1700000040002,3000.25,1\nBTCUSDT,1700000040003,60001,1\n"
    )
    path = write(tmp_path, "bybit_trades.csv", text)
    trades = read_trades(path, symbol="BTCUSDT")
    assert (trades.symbol, trades.unit, trades.price.tolist()) == (
        "BTCUSDT",
        Decimal("0.1"),
        [600_005, 600_010],
    )
    with pytest.raises(DataError, match="holds BTCUSDT, ETHUSDT; name one"):
        read_trades(path)
    with pytest.raises(DataError, match="holds BTCUSDT, ETHUSDT; name one"):
        read_trades(path, symbol="SOLUSDT")


def test_a_name_that_tells_no_market_is_told(tmp_path):
    path = write(tmp_path, "prices.csv", BARS + BAR_ROWS)
    with pytest.raises(DataError, match="does not say which market"):
        read_bars(path)
    assert read_bars(path, symbol="BTCUSDT").symbol == "BTCUSDT"


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path):
    broken = tmp_path / "BTCUSDT.csv.gz"
    broken.write_bytes(b"no archive")
    cut = tmp_path / "ETHUSDT.csv.gz"
    cut.write_bytes(gzip.compress((BARS + BAR_ROWS * 100).encode())[:60])
    binary = tmp_path / "SOLUSDT.csv"
    binary.write_bytes(BARS.encode() + b"\xff\xfe\x00,1,2,3,4,5\n")
    parquet = tmp_path / "XRPUSDT.parquet"
    parquet.write_bytes(b"PAR1 but no more")
    trades = write(tmp_path, "ADAUSDT.csv", "trade_time_ms,price,qty\n1700000040001,1,1\n")
    for path, words in (
        (tmp_path / "BTCUSDT.csv", "no such file"),
        (tmp_path / "BTCUSDT.parquet", "no such file"),
        (broken, "cannot be read"),
        (cut, "cannot be read"),
        (binary, "not a table of text"),
        (parquet, "cannot be read as Parquet"),
        (trades, "this is a file of trades, not bars"),
    ):
        with pytest.raises(DataError, match=words) as told:
            read_bars(path)
        assert "\n" not in str(told.value)


def test_a_path_may_be_text(tmp_path):
    from trailstop.lab.data import read_history

    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text("timestamp,open,high,low,close,volume\n1700000040000,1,3,1,2,5\n")
    assert len(read_history([str(path)]).bars) == len(read_bars(str(path))) == 1
