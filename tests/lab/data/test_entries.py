"""Entries from files, times and functions: where in the data each position opens and ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from tests.lab.data.files import MINUTE_MS, START_MS, minutes, write
from trailstop.domain.price import Side
from trailstop.errors import ConfigError, DataError
from trailstop.lab.data import Entry
from trailstop.lab.data.entries import entries_at, entries_from, entries_from_file
from trailstop.lab.data.function import entries_from_function
from trailstop.lab.data.read import read_bars, read_quotes, read_trades
from trailstop.lab.entries import NEVER

CLOSES = ["100.1", "101", "102", "103", "104", "105", "106", "107"]


def at(minute: float) -> int:
    return START_MS + int(minute * MINUTE_MS)


def iso(minute: float) -> str:
    return datetime.fromtimestamp(at(minute) / 1000, UTC).isoformat()


@pytest.fixture
def bars(tmp_path):
    """Eight minutes; the fifth and sixth are missing."""
    return read_bars(write(tmp_path, "BTCUSDT-1m.csv", minutes(CLOSES, skip=[4, 5])))


ROWS = [
    {"time": at(1), "side": "long", "price": None, "label": "first", "exit": None},
    {"time": at(2.5), "side": "short", "price": "102.05", "label": "", "exit": at(7)},
]


@pytest.mark.parametrize("form", ["csv", "parquet", "json", "jsonl", "csv.gz"])
def test_every_form_of_a_file_of_entries_is_the_same(tmp_path, bars, form):
    path = tmp_path / f"mine.{form}"
    if form == "parquet":
        pl.DataFrame(ROWS).write_parquet(path)
    elif form == "json":
        path.write_text(json.dumps(ROWS))
    elif form == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    else:
        lines = [
            ",".join("" if cell is None else str(cell) for cell in row.values()) for row in ROWS
        ]
        write(tmp_path, f"mine.{form}", "Time, Side ,price,label,exit\n" + "\n".join(lines) + "\n")
    entries = entries_from_file(path, bars)
    assert entries.index.tolist() == [0, 2]
    assert entries.sign.tolist() == [1, -1]
    assert entries.price.tolist() == [1001, 1020], "a short off the grid is put on it downwards"
    assert entries.labels == ("first", "")
    assert entries.exit_index.tolist() == [NEVER, 4]
    assert entries.at_close
    assert entries.quantity_of(0) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"at,direction\n{iso(2)},BUY\n{iso(1)},sell\n", id="any order, other names"),
        pytest.param(
            f"entry_time,side,entry_price,qty\n{iso(1)},short,,2\n{iso(2)},long,,3\n",
            id="quantities",
        ),
    ],
)
def test_columns_have_the_names_that_people_use(tmp_path, bars, text):
    entries = entries_from_file(write(tmp_path, "mine.csv", text), bars)
    assert (entries.index.tolist(), entries.sign.tolist()) == ([0, 1], [-1, 1])
    assert entries.price.tolist() == [1001, 1010]
    assert entries.exit_index is None
    assert entries.labels == ()
    if "qty" in text:
        assert [entries.quantity_of(0), entries.quantity_of(1)] == [Decimal(2), Decimal(3)]


@pytest.mark.parametrize(
    ("minute", "index"),
    [(1, 0), (1.5, 1), (2, 1), (3.999, 3), (4, 3), (6.5, 4)],
)
def test_a_time_is_the_close_of_the_bar_that_ends_then_or_holds_it(bars, minute, index):
    entries = entries_from([Entry(at(minute), Side.LONG)], bars)
    assert entries.index.tolist() == [index]
    assert entries.price.tolist() == [bars.close[index]]


def test_times_that_are_all_opens_may_begin_with_the_first_bar(bars):
    entries = entries_from([Entry(at(0), Side.LONG), Entry(at(6), Side.SHORT)], bars)
    assert not entries.at_close
    assert entries.index.tolist() == [0, 4]
    assert entries.price.tolist() == [bars.open[0], bars.open[4]]
    ended = entries_from([Entry(at(0), Side.LONG, exit_ms=at(1))], bars)
    assert ended.exit_index.tolist() == [0], "the bar that it opens with may also end it"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (f"{iso(5)},long,,", "line 3: there are no prices at 2023-11-14 22:19:00; the bars have a"),
        (f"{iso(0.5 - 1)},long,,", "line 3: 2023-11-14 22:13:30 is outside the data; positions"),
        (f"{iso(8)},long,,", "line 3: 2023-11-14 22:22:00 is outside"),
        (f"{iso(7.5)},long,,", "line 3: 2023-11-14 22:21:30 is outside"),
        (f"{iso(3)},up,,", "line 3: the side is 'up', not long or short"),
        ("soon,long,,", "line 3: the time is 'soon', which is no time"),
        (",long,,", "line 3: there is no time; name the column one of time, at"),
        (f"{iso(3)},,,", "line 3: there is no side; name the column one of side, direction"),
        (f"{iso(3)},long,x,", "line 3: the price is 'x', not a number"),
        (f"{iso(3)},long,-1,", "line 3: the price is -1; it must be above 0"),
        (f"{iso(3)},long,1.03,", r"line 3: the price 1.03 is far from the market's 102"),
        (f"{iso(3)},long,,{iso(2)}", "line 3: the exit at 2023-11-14 22:16:00 is not after"),
        (f"{iso(2.1)},long,,{iso(2.9)}", "line 3: the exit at .* in the same bar"),
    ],
)
def test_an_entry_that_cannot_be_is_named_by_its_row(tmp_path, bars, row, words):
    text = f"time,side,price,exit\n{iso(1)},long,,\n{row}\n"
    with pytest.raises(DataError, match=words) as told:
        entries_from_file(write(tmp_path, "mine.csv", text), bars)
    assert "\n" not in str(told.value)


def test_a_side_for_all_stands_in_for_a_column(tmp_path, bars):
    path = write(tmp_path, "mine.csv", f"time\n{iso(1)}\n")
    assert entries_from_file(path, bars, side=Side.SHORT).sign.tolist() == [-1]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("mine.csv", "time,side\n", "has no entries"),
        ("mine.json", '{"time": 1', "not JSON"),
        ("mine.json", "[1]", "entry 1: is no object"),
        ("mine.parquet", "PAR1", "cannot be read as Parquet"),
        ("mine.csv", f"time,side,quantity\n{iso(1)},long,2\n{iso(2)},long,\n", "line 3: has no"),
    ],
)
def test_a_file_of_entries_that_cannot_be_read_is_one_line(tmp_path, bars, name, text, words):
    with pytest.raises(DataError, match=words):
        entries_from_file(write(tmp_path, name, text), bars)
    with pytest.raises(DataError, match="no such file"):
        entries_from_file(tmp_path / f"not{name}", bars)


def test_an_exit_after_the_data_never_comes(bars):
    entries = entries_from(
        [Entry(at(1), Side.LONG, exit_ms=at(3)), Entry(at(2), Side.LONG, exit_ms=at(500))], bars
    )
    assert entries.exit_index.tolist() == [2, NEVER]


def test_among_ticks_a_position_opens_after_the_last_one_before_it(tmp_path):
    trades = read_trades(
        write(
            tmp_path,
            "BTCUSDT.csv",
            "trade_time_ms,price,qty\n"
            + "".join(f"{at(minute)},{100 + minute},1\n" for minute in (0, 1, 1, 2)),
        )
    )
    entries = entries_from(
        [Entry(at(1), Side.LONG, exit_ms=at(2)), Entry(at(0), Side.LONG)], trades
    )
    assert entries.index.tolist() == [0, 2]
    assert entries.price.tolist() == [100, 101]
    assert entries.exit_index.tolist() == [NEVER, 3]
    with pytest.raises(DataError, match="outside the data"):
        entries_from([Entry(at(2), Side.LONG)], trades)
    quotes = read_quotes(
        write(
            tmp_path,
            "BTCUSDT_book.csv",
            "event_time_ms,bid_px,bid_qty,ask_px,ask_qty\n"
            f"{at(0)},100,1,101,1\n{at(1)},102,1,103,1\n",
        )
    )
    both = entries_from([Entry(at(0), Side.LONG), Entry(at(0.5), Side.SHORT)], quotes)
    assert both.price.tolist() == [101, 100], "a long is bought at the ask, a short sold at the bid"


def test_a_time_of_day_is_every_day_that_has_prices(tmp_path):
    midnight = 1_699_920_000_000
    days = [str(100 + hour) for hour in range(72)]
    hours = minutes(days, start_ms=midnight).splitlines(keepends=True)
    text = hours[0] + "".join(
        row.replace(str(midnight + MINUTE_MS * hour), str(midnight + 3_600_000 * hour), 1)
        for hour, row in enumerate(hours[1:])
        if hour not in range(25, 40)
    )
    bars = read_bars(write(tmp_path, "BTCUSDT-1h.csv", text))
    entries = entries_at(["14:00"], bars, Side.SHORT)
    opened = (bars.open_ms[entries.index] + bars.interval_ms - midnight) / 3_600_000
    assert opened.tolist() == [14, 62], "on the second day the data have a hole then"
    assert set(entries.sign.tolist()) == {-1}
    dated = entries_at(["2023-11-14T14:00:00", "2023-11-14 15:30"], bars)
    assert dated.index.tolist() == [13, 15]
    with pytest.raises(ConfigError, match="'noon' is no time; write 14:30"):
        entries_at(["noon"], bars)
    with pytest.raises(DataError, match="time 2023-11-15T10:00: there are no prices"):
        entries_at(["2023-11-15T10:00"], bars)
    with pytest.raises(DataError, match="no entries"):
        entries_at([], bars)


FUNCTION = """
from trailstop.domain.price import Side
from trailstop.lab.data import Entry

def rises(bars):
    for at in range(1, 3):
        if bars.close[at] > bars.close[at - 1]:
            yield Entry(int(bars.open_ms[at]) + bars.interval_ms, Side.LONG, label="rise")

def fails(bars):
    return [bars.nothing]

def wrong(bars):
    return [7]

number = 7
"""


def test_a_function_of_a_file_or_a_module_says_where_to_open(tmp_path, bars, monkeypatch):
    path = write(tmp_path, "my_entries.py", FUNCTION)
    entries = entries_from_function(f"{path}:rises", bars)
    assert (entries.index.tolist(), entries.labels) == ([1, 2], ("rise", "rise"))
    monkeypatch.syspath_prepend(tmp_path)
    assert entries_from_function("my_entries:rises", bars).index.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("my_entries.py:fails", "line 11: AttributeError: .*nothing.*; correct the function"),
        ("my_entries.py:wrong", "number 1 is 7, not an Entry"),
        ("my_entries.py:number", "has no function number"),
        ("my_entries.py:none", "has no function none"),
        ("other.py:rises", "no such file"),
        ("broken.py:rises", "SyntaxError"),
        ("my_entries.py", "is no function; write file.py:function"),
    ],
)
def test_a_function_that_does_not_work_is_one_line(tmp_path, bars, function, words):
    write(tmp_path, "my_entries.py", FUNCTION)
    write(tmp_path, "broken.py", "def rises(:\n")
    with pytest.raises(ConfigError, match=words) as told:
        entries_from_function(f"{tmp_path}/{function}", bars)
    assert "\n" not in str(told.value)
    with pytest.raises(ConfigError, match="No module named"):
        entries_from_function("not_there_at_all:rises", bars)
