"""The answer on a terminal: the assumptions stand above the figures."""

import io

from rich.console import Console

from tests.lab.report.hand import result
from trailstop.lab.report.document import document
from trailstop.view.backtest import print_backtest


def printed(one, width=120) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_backtest(document(one), console)
    return console.file.getvalue()


def test_rule_engine_costs_and_warnings_are_named_above_the_figures():
    text = printed(result())
    head, _, figures = text.partition("result of all")
    assert "BTCUSDT  4 positions on 60 bars of 1 min (last price)" in head
    assert "2021-05-19 00:00:00 to 2021-05-19 01:00:00 UTC" in head
    assert "worst_case: open, against the position" in head
    assert "step: the same rule that guards live positions" in head
    assert "latency 250 ms" in head
    assert "WARNING  take care" in head
    assert "rows of the data left out: 1 (BTCUSDT-1m-2021.csv, line 77: price 0)" in head
    assert "+1.73 %" in figures


def test_exits_by_cause_and_side_are_rows():
    rows = {line.split("  ")[0]: line.split() for line in printed(result()).splitlines()}
    assert "  ".join(rows["trailing stop"][2:]) == (
        "2  50.00  %  100.00  %  0.00  %  +1.92  %  +3.83  %  1"
    )
    assert rows["initial stop"][2] == "1"
    assert rows["short"][1] == "1"


def test_no_position_is_said_plainly():
    text = printed(result(()))
    assert "no position was opened" in text
    assert "ended by" not in text
