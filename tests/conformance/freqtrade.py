"""Rows of freqtrade's own backtest table: candles and signals, through the product's backtest."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from tests.conformance.verdict import Case, exact, expect, near, number
from trailstop.dialects.freqtrade import Stops
from trailstop.domain.position import Fees
from trailstop.domain.price import Side
from trailstop.lab.peers.freqtrade.pair import PathPoint
from trailstop.lab.peers.freqtrade.rates import profit_ratio
from trailstop.lab.peers.freqtrade.run import Run, run_strategy
from trailstop.lab.peers.freqtrade.settings import ENTRY_TIMEOUT_MINUTES, Strategy
from trailstop.lab.peers.freqtrade.signals import Signals
from trailstop.lab.series import Bars, Int64
from trailstop.lab.terms import ExitCause
from trailstop.lab.trades import Trade

HOUR_MS = 3_600_000
PROFIT_DIGITS = 3
"""Decimals to which the table states the sum of profits."""
REASONS = {
    ExitCause.SIGNAL: "exit_signal",
    ExitCause.TARGET: "roi",
    ExitCause.INITIAL_STOP: "stop_loss",
    ExitCause.TRAIL: "trailing_stop_loss",
    ExitCause.END_OF_DATA: "force_exit",
}


def run(case: Case) -> None:
    """Run one row: what the table says of it, and what freqtrade did where that is the same."""
    strategy, ticks = _strategy(case["params"]), [row["tick"] for row in case["candles"]]
    bars = _bars(case["candles"], _own_prices(strategy))
    told = run_strategy(bars, _signals(case["candles"]), strategy, quantity=Decimal(1))
    rows = [_row(trade, bars, ticks, strategy) for trade in told.result.trades]
    if "expected" in case:
        _check_expected(rows, case["expected"])
    if "observed" in case and case.get("observed_agrees_with_expected", True):
        _check_observed(rows, told, ticks, case["observed"])


def _strategy(params: Case) -> Strategy:
    timeout = number(params.get("unfilled_timeout_minutes"))
    return Strategy(
        stops=Stops(
            stoploss=exact(params["stoploss"]),
            trailing_stop=params["trailing_stop"],
            trailing_stop_positive=number(params.get("trailing_stop_positive")),
            trailing_stop_positive_offset=exact(params["trailing_stop_positive_offset"]),
            trailing_only_offset_is_reached=params["trailing_only_offset_is_reached"],
            use_custom_stoploss=params["use_custom_stoploss"],
            leverage=exact(params["leverage"]),
        ),
        minimal_roi=tuple(
            (int(minutes), exact(ratio)) for minutes, ratio in params["minimal_roi"].items()
        ),
        use_exit_signal=params["use_exit_signal"],
        custom_entry_price=number(params.get("custom_entry_price")),
        custom_exit_price=number(params.get("custom_exit_price")),
        # The table's strategy always has the method; it answers None unless told otherwise.
        adjusts_entry=True,
        adjust_entry_price=number(params.get("adjust_entry_price")),
        entry_timeout_minutes=ENTRY_TIMEOUT_MINUTES if timeout is None else timeout,
    )


def _own_prices(strategy: Strategy) -> list[Decimal]:
    own = (strategy.custom_entry_price, strategy.custom_exit_price, strategy.adjust_entry_price)
    return [price for price in own if price is not None]


def _bars(candles: Sequence[Case], also: Sequence[Decimal]) -> Bars:
    """The candles as bars, in the coarsest power of ten that all prices are multiples of."""
    names = ("open", "high", "low", "close")
    prices = [exact(row[name]) for row in candles for name in names]
    exponents = [price.normalize().as_tuple().exponent for price in (*prices, *also)]
    unit = Decimal(1).scaleb(min(0, *(int(exponent) for exponent in exponents)))

    def column(name: str) -> Int64:
        return np.array([int(exact(row[name]) / unit) for row in candles], dtype=np.int64)

    return Bars(
        symbol="CASE",
        unit=unit,
        interval_ms=HOUR_MS,
        open_ms=np.arange(len(candles), dtype=np.int64) * HOUR_MS,
        open=column("open"),
        high=column("high"),
        low=column("low"),
        close=column("close"),
    )


def _signals(candles: Sequence[Case]) -> Signals:
    def column(name: str) -> list[bool]:
        return [bool(row.get(name)) for row in candles]

    return Signals(
        enter_long=column("enter_long"),
        exit_long=column("exit_long"),
        enter_short=column("enter_short"),
        exit_short=column("exit_short"),
        enter_tag=[row.get("enter_tag") for row in candles],
    )


def _row(trade: Trade, bars: Bars, ticks: Sequence[int], strategy: Strategy) -> dict[str, Any]:
    """A trade in the words of the table."""
    return {
        "exit_reason": REASONS[trade.cause],
        "is_short": trade.side is Side.SHORT,
        "open_tick": ticks[trade.entry_ms // bars.interval_ms],
        "close_tick": ticks[trade.exit_ms // bars.interval_ms],
        "open_rate": trade.entry_price,
        "close_rate": trade.exit_price,
        "profit_ratio": profit_ratio(
            trade.side,
            trade.entry_price,
            trade.exit_price,
            leverage=strategy.stops.leverage,
            fees=Fees(),
        ),
        "initial_stop": trade.moves[0].to_price,
        "enter_tag": trade.label or None,
    }


def _check_expected(rows: Sequence[dict[str, Any]], wanted: Case) -> None:
    expect("number of trades", len(rows), len(wanted["trades"]))
    for row, trade in zip(rows, wanted["trades"], strict=True):
        for name, value in trade.items():
            expect(name, row[name], value)
    total = sum((row["profit_ratio"] for row in rows), Decimal(0))
    profit = exact(wanted["total_profit_ratio_rounded_3"])
    expect("total profit", round(total, PROFIT_DIGITS), round(profit, PROFIT_DIGITS))


def _check_observed(
    rows: Sequence[dict[str, Any]], told: Run, ticks: Sequence[int], wanted: Case
) -> None:
    expect("number of trades", len(rows), len(wanted["trades"]))
    for number_, (row, trade) in enumerate(zip(rows, wanted["trades"], strict=True)):
        opened = told.result.trades[number_].number + 1
        final = [point.stop for point in told.path if point.trade == opened][-1]
        for name, value in trade.items():
            near(name, (row | {"final_stop": final})[name], value)
    expect("length of the stop path", len(told.path), len(wanted["stop_path"]))
    for point, step in zip(told.path, wanted["stop_path"], strict=True):
        seen = _path_row(point, ticks)
        for name, value in step.items():
            near(f"{name} at tick {step['tick']}", seen[name], value)


def _path_row(point: PathPoint, ticks: Sequence[int]) -> dict[str, Any]:
    kind = ExitCause.TRAIL if point.moved else ExitCause.INITIAL_STOP
    return {
        "trade": point.trade,
        "tick": ticks[point.index],
        "stop_after": point.stop,
        "trailing": point.moved,
        "hit": REASONS[kind] if point.hit else None,
    }
