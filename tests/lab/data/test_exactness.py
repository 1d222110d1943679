"""No digit is lost on any way: text, Parquet, arrays."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.lab.data.files import BAR_ROWS, BARS, MINUTE_MS, START_MS, decimals, write
from trailstop.errors import ConfigError, DataError
from trailstop.lab.data.columns import exact, finest, times_us, units
from trailstop.lab.data.read import read_bars, read_funding, read_quotes, read_trades
from trailstop.lab.data.write import write_parquet
from trailstop.lab.series import Bars, Funding, Quotes, Trades
from trailstop.recorded.formats import parse_time_us

QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
PRICES = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places),
    st.integers(min_value=1, max_value=10**9),
    st.integers(min_value=0, max_value=6),
)


def spelled(price: Decimal, form: int) -> str:
    """The same number as various writers spell it."""
    forms = (str(price), f"{price:f}", f"{price:.18f}", f"{price:e}", f"+{price:f}", f" {price:f} ")
    return forms[form % len(forms)]


@QUICK
@given(prices=st.lists(st.tuples(PRICES, st.integers(0, 5)), min_size=1, max_size=8))
def test_text_to_units_and_back_is_the_same_number(tmp_path: Path, prices):
    texts = [spelled(price, form) for price, form in prices]
    rows = "".join(
        f"{1_700_000_040_000 + 60_000 * at},{text},{text},{text},{text},1\n"
        for at, text in enumerate(texts)
    )
    bars = read_bars(write(tmp_path, "BTCUSDT-1m.csv", BARS + rows))
    assert decimals(bars.close, bars.unit) == [price for price, _ in prices]
    assert bars.unit == min(
        Decimal(1).scaleb(min(0, price.normalize().as_tuple().exponent)) for price, _ in prices
    ), "no finer than needed"
    kept = tmp_path / "BTCUSDT-1m.parquet"
    write_parquet(bars, kept)
    again = read_bars(kept)
    assert (again.close == bars.close).all()
    assert again.unit == bars.unit


@QUICK
@given(st.lists(st.floats(1e-9, 1e6), min_size=1, max_size=8))
def test_a_float_counts_as_its_shortest_decimal(values):
    column = exact(pl.Series(values))
    for value, scaled in zip(values, column.to_list(), strict=True):
        shortest = Decimal(repr(value))
        if shortest == round(shortest, 18):
            assert Decimal(scaled).scaleb(-18) == shortest
        else:
            assert scaled is None, "more digits than can be held are no price"


def test_units_are_whole_numbers_of_the_finest_decimal():
    column = exact(pl.Series(["1", "1.5", "0.25"]))
    assert finest([column]) == 2
    assert units(column, 2).tolist() == [100, 150, 25]


ODD_TIMES = (
    *("", "soon", "-1", "0", "nan", "2026-01-31", "2026-01-31T10:00+05:30"),
    *("1e12", "1e30", "1e999999999", "1e-999999999", "99999999999999999999"),
)


@QUICK
@given(
    st.one_of(
        st.integers(1, 10**18).map(str),
        st.decimals("1", "99999999999", places=6).map(str),
        st.datetimes().map(lambda at: at.isoformat()),
        st.datetimes().map(lambda at: at.replace(microsecond=0).isoformat(" ") + "+00:00"),
        st.sampled_from(ODD_TIMES),
    )
)
def test_a_time_is_what_the_paper_exchange_reads(text):
    (found,) = times_us(pl.Series([text], dtype=pl.String)).to_list()
    assert found == parse_time_us(text)


VALID = (BARS + BAR_ROWS).encode()


@QUICK
@given(
    cuts=st.lists(
        st.tuples(
            st.integers(0, len(VALID)),
            st.integers(0, 4),
            st.one_of(
                st.binary(max_size=3),
                st.sampled_from(
                    [b",", b"\n", b'"', b"\r\n", b"-", b"e9", b"nan", b";", b"\0", b" "]
                ),
            ),
        ),
        min_size=1,
        max_size=4,
    ),
    skip_bad=st.booleans(),
)
def test_a_damaged_file_is_read_rightly_or_refused_in_one_line(tmp_path, cuts, skip_bad):
    data = VALID
    for at, removed, put in cuts:
        data = data[:at] + put + data[at + removed :]
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_bytes(data)
    try:
        bars, refusal = read_bars(path, skip_bad=skip_bad), None
    except DataError as error:
        bars, refusal = None, str(error)
    if bars is None:
        assert "BTCUSDT-1m.csv" in refusal
        assert "\n" not in refusal
        return
    assert (bars.low > 0).all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (np.diff(bars.open_ms) >= bars.interval_ms).all()


def column(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_every_series_comes_back_from_parquet(tmp_path):
    fine = Decimal("0.05")
    times = column(START_MS, START_MS + MINUTE_MS)
    ups, downs = column(210, 220), column(199, 200)
    bars = Bars(
        "BTCUSDT", fine, MINUTE_MS, times, ups, ups, downs, downs, np.array([1.5, 0.0]), "mark"
    )
    trades = Trades("ETHUSDT", Decimal("0.01"), times, column(7, 9))
    quotes = Quotes("ETHUSDT", Decimal("0.001"), times, column(7, 8), column(9, 10))
    funding = Funding("ETHUSDT", times, (Decimal("0.0001"), Decimal("-0.00012345")))
    path = tmp_path / "mine.parquet"

    write_parquet(bars, path)
    again = read_bars(path)
    assert (again.symbol, again.kind, again.interval_ms) == ("BTCUSDT", "mark", MINUTE_MS)
    assert decimals(again.high, again.unit) == decimals(bars.high, bars.unit)
    assert again.volume.tolist() == [1.5, 0.0]
    write_parquet(trades, path)
    assert read_trades(path).price.tolist() == [7, 9]
    write_parquet(quotes, path)
    assert read_quotes(path).ask.tolist() == [9, 10]
    write_parquet(funding, path)
    assert read_funding(path).rates == funding.rates


def test_parquet_is_written_where_it_can_be(tmp_path):
    trades = Trades("ETHUSDT", Decimal("0.01"), column(1), column(7))
    with pytest.raises(ConfigError, match=r"end it in \.parquet"):
        write_parquet(trades, tmp_path / "mine.csv")
    with pytest.raises(ConfigError, match="no such folder"):
        write_parquet(trades, tmp_path / "not" / "mine.parquet")
