"""`trailstop backtest` as a person runs it."""

import csv
import json
from decimal import Decimal

import polars as pl
import pytest

from tests.lab.report.hand import MINUTE_MS, START_MS
from trailstop.cli import main


def answer(capsys, *arguments) -> dict:
    assert main(["backtest", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_table_names_the_rule_the_engine_and_the_exits(prices, capsys):
    assert main(["backtest", str(prices)]) == 0
    text = capsys.readouterr().out
    assert "BTCUSDT" in text
    assert "10 positions on 600 bars of 1 min (last price)" in text
    assert "worst_case" in text
    assert "step: the same rule that guards live positions" in text
    assert "trailing stop" in text


def test_json_is_the_documented_form(prices, capsys):
    told = answer(capsys, prices, "--every", 120, "--side", "both", "--tick", "0.5")
    assert told["rule"] == "worst_case"
    assert told["instrument"]["tick_size"] == "0.5"
    assert told["data"]["files"] == [prices.name]
    assert [(one["side"], one["entry_ms"]) for one in told["trades"][:2]] == [
        ("long", START_MS + MINUTE_MS),
        ("short", START_MS + MINUTE_MS),
    ]
    first = told["trades"][0]
    assert first["cause"] == "trail"
    # Up to 10 300 and back: the stop rests 0.5 % beneath the peak or a paced move behind it.
    assert Decimal(10240) < Decimal(first["exit_price"]) < Decimal(10255)
    assert first["moves"][0]["to_price"] == "9800.0"


def test_settings_come_from_the_command_line_and_the_file(prices, folder, capsys):
    (folder / "trailstop.toml").write_text(
        "[policy]\ninitial_stop_percent = 3\n[symbols.BTCUSDT]\nactivation_percent = 1\n"
    )
    told = answer(capsys, prices, "--set", "policy.callback_percent=0.8")
    policy = told["policy"]
    assert policy["initial_stop_percent"] == "3"
    assert policy["activation_percent"] == "1"
    assert policy["distance"]["callback_percent"] == "0.8"


def test_costs_are_percent_and_named(prices, capsys):
    told = answer(capsys, prices, "--fee", "0.02", "--slippage", "0.01", "--latency-ms", "0")
    assert {name: Decimal(value) for name, value in told["costs"].items()} == {
        "entry_fee": Decimal("0.0002"),
        "exit_fee": Decimal("0.0002"),
        "slippage_percent": Decimal("0.01"),
        "latency_ms": 0,
    }


def test_positions_from_a_file_a_function_and_times(prices, folder, capsys):
    (folder / "mine.csv").write_text(
        f"time,side,label\n{START_MS + 10 * MINUTE_MS},short,news\n2021-05-19T01:00,long,dip\n"
    )
    told = answer(capsys, prices, "--entries", folder / "mine.csv")
    assert [(one["side"], one["label"]) for one in told["trades"]] == [
        ("short", "news"),
        ("long", "dip"),
    ]
    (folder / "ideas.py").write_text(
        "from trailstop.domain.price import Side\n"
        "from trailstop.lab.data.placing import Entry\n"
        "def early(bars):\n"
        "    yield Entry(int(bars.open_ms[30]), Side.SHORT)\n"
    )
    told = answer(capsys, prices, "--entries-from", f"{folder / 'ideas.py'}:early")
    assert [one["entry_ms"] for one in told["trades"]] == [START_MS + 30 * MINUTE_MS]
    told = answer(capsys, prices, "--at", "2021-05-19T00:30", "--at", "2021-05-19T02:00")
    assert [one["entry_ms"] for one in told["trades"]] == [
        START_MS + 30 * MINUTE_MS,
        START_MS + 120 * MINUTE_MS,
    ]


def test_a_time_limit_and_a_span_of_time(prices, capsys):
    told = answer(
        capsys,
        prices,
        "--hold-bars",
        5,
        "--from",
        "2021-05-19T02:00",
        "--until",
        "2021-05-19T04:00",
    )
    assert told["data"]["count"] == 120
    assert {one["cause"] for one in told["trades"]} == {"time_limit"}
    assert {one["exit_ms"] - one["entry_ms"] for one in told["trades"]} == {5 * MINUTE_MS}


def test_files_are_written_and_said_so(prices, folder, capsys):
    outputs = "--csv", "out", "--parquet", "trades.parquet", "--html", "page.html"
    assert main(["backtest", str(prices), *outputs]) == 0
    said = capsys.readouterr().err
    for name in ("trades.csv", "moves.csv", "trades.parquet", "page.html"):
        assert name in said
    with (folder / "out" / "trades.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 10
    assert len(pl.read_parquet(folder / "trades.parquet")) == 10
    page = (folder / "page.html").read_text()
    assert "BTCUSDT: backtest" in page
    assert "worst_case" in page


@pytest.mark.parametrize(
    "rule", ["best_case", "high_first", "low_first", "paper", "stop_then_peak"]
)
def test_every_rule_is_named_in_its_result(prices, capsys, rule):
    told = answer(capsys, prices, "--rule", rule)
    assert told["rule"] == rule
    assert told["rule_text"].startswith(rule)


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        pytest.param(["nothing.csv"], 1, "nothing.csv", id="no such file"),
        pytest.param(["{data}", "--fee", "free"], 2, "--fee must be a number", id="fee"),
        pytest.param(["{data}", "--slippage=-1"], 2, "0 or above", id="slippage"),
        pytest.param(["{data}", "--every", "0"], 2, "--every", id="every"),
        pytest.param(
            ["{data}", "--every", "5", "--at", "2021-05-19"], 2, "give one of", id="two sources"
        ),
        pytest.param(["{data}", "--rule", "hopeful"], 2, "worst_case", id="rule"),
        pytest.param(["{data}", "--from", "soon"], 2, "2021-05-19", id="time"),
        pytest.param(["{data}", "--at", "2031-01-01"], 1, "outside the data", id="late entry"),
        pytest.param(
            ["{data}", "--set", "policy.callback=1"], 3, "callback_percent", id="unknown setting"
        ),
        pytest.param(["{data}", "--html", "no/folder/x.html"], 1, "cannot be written", id="html"),
        pytest.param(["{data}", "--entries-from", "x"], 3, "file.py:function", id="function"),
        pytest.param([], 2, "DATA", id="no data"),
    ],
)
def test_an_error_is_one_line_and_its_status(prices, capsys, arguments, status, says):
    given = [text.format(data=prices) for text in arguments]
    assert main(["backtest", *given]) == status
    told = capsys.readouterr().err
    assert says in told
    assert told.count("\n") == 1


@pytest.fixture
def quotes(folder):
    """Minutes of the bid, and of an ask that is one above it."""
    file = folder / "BTCUSDT-1m-quote.csv"
    names = [
        f"{quote}_{end}" for quote in ("bid", "ask") for end in ("open", "high", "low", "close")
    ]
    rows = [",".join(["open_time_ms", *names])]
    for minute in range(60):
        bid = [str(100 + minute + more) for more in (0, 2, -1, 1)]
        ask = [str(101 + minute + more) for more in (0, 2, -1, 1)]
        rows.append(",".join([str(START_MS + minute * MINUTE_MS), *bid, *ask]))
    file.write_text("\n".join(rows) + "\n")
    return file


@pytest.mark.parametrize(
    ("side", "quote", "entry"),
    [(None, "bid", "111"), ("long", "bid", "111"), ("short", "ask", "112")],
)
def test_bars_of_bid_and_ask_are_tried_on_those_where_the_side_leaves(
    quotes, capsys, side, quote, entry
):
    chosen = () if side is None else ("--side", side)
    told = answer(capsys, quotes, "--at", "2021-05-19T00:11", *chosen)
    assert f"(best {quote})" in told["data"]["prices"]
    assert [one["entry_price"] for one in told["trades"]] == [entry]
    assert any(f"bars of the best {quote}, at which" in note for note in told["data"]["notes"])


def test_bars_of_bid_and_ask_serve_one_side_at_a_time(quotes, folder, capsys):
    assert main(["backtest", str(quotes), "--side", "both"]) == 1
    assert "choose a side: long or short" in capsys.readouterr().err
    (folder / "mine.csv").write_text("time,side\n2021-05-19T00:10,long\n2021-05-19T00:20,short\n")
    assert main(["backtest", str(quotes), "--entries", "mine.csv"]) == 1
    told = capsys.readouterr().err
    assert "1 are short and leave at the ask" in told
    assert told.count("\n") == 1


def test_help_has_an_example(capsys):
    assert main(["backtest", "--help"]) == 0
    text = capsys.readouterr().out
    assert "Example: trailstop backtest" in text
    assert "worst_case" in text
