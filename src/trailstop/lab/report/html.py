"""A backtest as one page that opens in any browser: equity, exits, each trade and its stop."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from trailstop.lab.report.document import Document, document, warnings_of
from trailstop.lab.report.files import TRADE_COLUMNS, trade_row
from trailstop.lab.report.page import facts, page, warnings_box, write_page
from trailstop.lab.report.paths import price_path
from trailstop.lab.report.statistics import EquityPoint, equity
from trailstop.lab.report.words import (
    CAUSES,
    costs_words,
    engine_words,
    grid_words,
    moment,
    policy_words,
    positions_words,
)
from trailstop.lab.trades import Result, Trade

PATHS_MOST: Final = 400
"""Trades that come with their prices: about 5 kB each."""
EQUITY_MOST: Final = 2_000
"""Points of the equity curve that a screen can tell apart."""
REFUSED_SHOWN: Final = 5
"""Refused rows told on the page; JSON has them all."""


def backtest_page(result: Result, report: Document | None = None) -> str:
    """The page. `report` saves computing the document again."""
    told = document(result) if report is None else report
    shown = chosen(told.trades)
    symbol = told.data.symbol
    body = "\n".join(
        (
            f"<header><h1>{escape(symbol)}: backtest</h1><p>{escape(_headline(told))}</p></header>",
            warnings_box(warnings_of(told.warnings, told.data, REFUSED_SHOWN)),
            '<section><div id="figures" class="figures"></div></section>',
            _section("What was tested", facts(_facts(told))),
            _section("Sum of the results", '<div id="equity" class="chart"></div>'),
            '<div class="columns">',
            _section("What ended the positions", '<div id="causes"></div>'),
            _section("Results of the positions", '<div id="spread" class="chart small"></div>'),
            "</div>",
            _section("One position", f'{_shown_words(told, shown)}<div id="trade"></div>'),
            _section("All positions", '<div id="trades"></div>'),
        )
    )
    data = {
        "symbol": symbol,
        "statistics": told.statistics,
        "cause_names": {cause.value: name for cause, name in CAUSES.items()},
        "columns": TRADE_COLUMNS,
        "rows": [list(trade_row(trade).values()) for trade in told.trades],
        "equity": thinned(equity(told.trades)),
        "paths": _paths(result, shown),
    }
    return page(f"{symbol} backtest", body, data=data, script="backtest.js")


def write_backtest_page(result: Result, file: Path, report: Document | None = None) -> None:
    """Write the page. Raises: DataError where it cannot be written."""
    write_page(backtest_page(result, report), file)


def chosen(trades: Sequence[Trade], most: int = PATHS_MOST) -> list[Trade]:
    """The trades that are worth their room: the best, the worst, and some of all times."""
    if len(trades) <= most:
        return list(trades)
    by_net = sorted(trades, key=lambda trade: trade.net_percent)
    quarter = most // 4
    telling = {trade.number: trade for trade in (*by_net[:quarter], *by_net[-quarter:])}
    rest = [trade for trade in trades if trade.number not in telling]
    room = most - len(telling)
    for place in range(room):
        trade = rest[place * len(rest) // room]
        telling[trade.number] = trade
    return sorted(telling.values(), key=lambda trade: trade.number)


def thinned(points: Sequence[EquityPoint], most: int = EQUITY_MOST) -> list[EquityPoint]:
    """The curve with its extremes: lowest and highest point of each stretch, and the last."""
    if len(points) <= most:
        return list(points)
    size = -(-2 * len(points) // most)
    kept: list[EquityPoint] = []
    for begin in range(0, len(points), size):
        stretch = points[begin : begin + size]
        extremes = {
            min(range(len(stretch)), key=lambda place: stretch[place].sum_net_percent),
            max(range(len(stretch)), key=lambda place: stretch[place].sum_net_percent),
        }
        kept += [stretch[place] for place in sorted(extremes)]
    if kept[-1] != points[-1]:
        kept.append(points[-1])
    return kept


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def _headline(told: Document) -> str:
    if told.data.first_ms is None or told.data.last_ms is None:
        return "no prices"
    span = f"{moment(told.data.first_ms)} to {moment(told.data.last_ms)} UTC"
    return f"{positions_words(told.statistics.trades)} on {told.data.prices}, {span}"


def _facts(told: Document) -> list[tuple[str, str | list[str]]]:
    return [
        ("Policy", policy_words(told.policy)),
        ("Order of prices", told.rule_text),
        ("Costs", costs_words(told.costs)),
        ("Decided by", engine_words(told.engine)),
        ("Instrument", grid_words(told.instrument)),
        ("Data", list(told.data.files)),
    ]


def _shown_words(told: Document, shown: Sequence[Trade]) -> str:
    if len(shown) == len(told.trades):
        return ""
    return (
        f'<p class="note">Prices and stop moves are in this page for {len(shown)} of '
        f"{len(told.trades)} positions: the best, the worst and some of all times. "
        "The others are in the table; JSON and CSV have every move.</p>"
    )


def _paths(result: Result, shown: Sequence[Trade]) -> dict[int, Any]:
    return {
        trade.number: {
            "prices": price_path(result.prices, trade),
            "moves": [
                [move.at_ms, f"{move.to_price:f}", move.kind.value, move.reason]
                for move in trade.moves
            ],
        }
        for trade in shown
    }
