"""Every recorded file beside the repository: read without an error, and with all of its rows."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from trailstop.domain.price import Side
from trailstop.lab.data.read import read_bars, read_funding, read_quotes, read_trades
from trailstop.lab.data.shape import holes, holes_in_words
from trailstop.lab.data.table import kind_of, symbols_of
from trailstop.lab.series import Bars
from trailstop.recorded.formats import Kind

RECORDED = Path(__file__).parents[4] / "shared" / "market-data"
FILES = sorted(RECORDED.glob("*/*.csv.gz"))
ZERO_PRICED = {"binance-usdm_TRXUSDT_20250304_trades.csv.gz": 1}
READERS = {
    Kind.BARS: read_bars,
    Kind.TRADES: read_trades,
    Kind.QUOTES: read_quotes,
    Kind.FUNDING: read_funding,
}

pytestmark = pytest.mark.skipif(not FILES, reason="the recorded prices are not here")


def counted() -> dict[str, int]:
    """Rows of each file, as the data's own description counts them."""
    text = (RECORDED / "README.md").read_text()
    rows = re.findall(
        r"^\| `\w+/([^`]+\.csv\.gz)` \|[^|]*\|[^|]*\| ([\d ]+) \|", text, re.MULTILINE
    )
    return {name: int(count.replace(" ", "")) for name, count in rows}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_is_read_with_all_of_its_rows(path):
    if kind_of(path) is Kind.QUOTE_BARS:
        for side in Side:
            assert len(read_bars(path, quoted=side)) == counted()[path.name]
        return
    symbols = symbols_of(path)
    found = [READERS[kind_of(path)](path, symbol=symbol) for symbol in symbols]
    refused = sum(len(getattr(series, "refused", ())) for series in found)
    assert refused == ZERO_PRICED.get(path.name, 0)
    assert sum(map(len, found)) + refused == counted()[path.name]


def test_a_bid_is_below_its_ask():
    path = only("*linear_BTCUSDT_1m-quote*")
    bid, ask = (read_bars(path, quoted=side) for side in Side)
    assert (bid.close < ask.close).all()
    assert bid.kind == "bid"
    assert ask.kind == "ask"


def only(pattern: str) -> Path:
    (path,) = (path for path in FILES if path.match(pattern))
    return path


def test_the_zero_price_of_the_trade_stream_is_refused_by_its_line():
    trades = read_trades(only("*TRXUSDT*"))
    assert int(trades.price.min()) > 0
    (line,) = trades.refused
    assert line.endswith("line 9328: price 0.0 and quantity 0.0: no trade")


def test_a_walk_down_the_book_is_kept_with_every_price():
    trades = read_trades(only("*ATOMUSDT*"))
    assert len(set(trades.time_ms.tolist())) == 1
    assert (int(trades.price[0]), int(trades.price[-1])) == (1688, 1)
    assert trades.unit == Decimal("0.001")


def test_wicks_are_kept():
    bars = read_bars(only("*BCHUSDT*"))
    at = int(((bars.high - bars.low) / bars.low).argmax())
    assert (bars.high[at], bars.low[at]) == (102_900, 53_720)


def test_a_tick_that_changes_within_a_file_loses_no_digit():
    bars = read_bars(only("*spot_DOGEUSDT*"))
    assert bars.unit == Decimal("1E-7")
    late = bars.open_ms >= 1_619_400_000_000
    assert np.count_nonzero(bars.close[~late] % 100)
    assert np.count_nonzero(bars.close[late] % 100) == 1, "an old order that still rested"


@pytest.mark.parametrize(
    ("pattern", "count", "missing", "longest"),
    [
        ("*BCHUSDT*", 1, 284, 284),
        ("*XTZBTC*", 3, 542, 354),
        ("*LTCUSDT*", 131, 104_931, 801),
        ("*LAYERUSDT*", 0, 0, 0),
    ],
)
def test_holes_are_found(pattern, count, missing, longest):
    bars = read_bars(only(pattern))
    found = holes(bars)
    assert len(found) == count
    assert sum(hole.missing for hole in found) == missing
    assert max((hole.missing for hole in found), default=0) == longest


def test_a_recording_that_is_mostly_holes_says_so():
    words = holes_in_words(read_bars(only("*LTCUSDT*")))
    assert words is not None
    assert "104931 of 131331 bars are missing (79.9 %)" in words
    assert "too many for statistics" in words


def test_mark_bars_are_told_by_their_name():
    kinds = {path.name: read_bars(path).kind for path in FILES if "1h-mark" in path.name}
    assert set(kinds.values()) == {"mark"}
    bars = read_bars(only("*bybit-linear_BTCUSDT_5m*"))
    assert isinstance(bars, Bars)
    assert bars.kind == "last"
