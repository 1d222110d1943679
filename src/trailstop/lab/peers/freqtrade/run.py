"""A freqtrade strategy's signals through the product's own backtest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from msgspec.structs import replace

from trailstop.dialects.freqtrade import as_rounded
from trailstop.domain.policy import Policy
from trailstop.domain.position import Fees
from trailstop.domain.price import Instrument, Rounding, Side
from trailstop.errors import DataError
from trailstop.lab.entries import Entries
from trailstop.lab.exact.agenda import make_agenda
from trailstop.lab.exact.drive import Drive, Opening
from trailstop.lab.exact.outcome import trade_of
from trailstop.lab.exact.task import quantity_at
from trailstop.lab.peers.freqtrade.candle import candle_at
from trailstop.lab.peers.freqtrade.held import Held
from trailstop.lab.peers.freqtrade.pair import Dealt, Pair, PathPoint
from trailstop.lab.peers.freqtrade.settings import Strategy
from trailstop.lab.peers.freqtrade.signals import Signals
from trailstop.lab.series import Bars, Funding, Int64
from trailstop.lab.terms import NO_COSTS, Costs, FillRule
from trailstop.lab.trades import Result, Trade

FINE_LOT = Decimal("1E-8")
"""Quantity step of a symbol whose lots nobody stated."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """What a strategy's signals came to, and every position's stop after every candle."""

    result: Result
    path: tuple[PathPoint, ...]


def run_strategy(
    bars: Bars,
    signals: Signals,
    strategy: Strategy,
    *,
    instrument: Instrument | None = None,
    costs: Costs = NO_COSTS,
    funding: Funding | None = None,
    quantity: Decimal | None = None,
) -> Run:
    """Deal with a strategy's signals on these bars as freqtrade's backtest does.

    One position at a time, entered and left by limit orders; stops are placed and moved by the
    product's own rule. Without an `instrument` stops are not rounded. `quantity` is base currency,
    else each position has a value of 1 000 quote currency. Profit as a share of the margin is
    `profit_ratio` of an entry and an exit. Latency is of no account: freqtrade has none.

    Raises DataError where a signal column is not as long as the bars.
    """
    _check(bars, signals)
    grid = instrument or Instrument(bars.symbol, bars.unit, FINE_LOT)
    costs = replace(costs, latency_ms=0)
    fees = Fees(costs.entry_fee, costs.exit_fee)
    policies = {side: _policy(strategy, fees, side, instrument) for side in Side}
    agenda = make_agenda(policies[Side.LONG], bars, funding)
    opened: list[Dealt] = []

    def hold(dealt: Dealt, price: Decimal) -> Held:
        size = quantity_at(price, quantity, grid)
        opening = Opening(
            len(opened), dealt.tag or "", dealt.side, price, size, dealt.wanted.open_ms
        )
        opened.append(dealt)
        policy = policies[dealt.side]
        return Held(Drive(opening, grid, policy, costs, agenda, at_level=True, moves=True))

    pair = Pair(strategy, signals, fees, hold)
    done = pair.walk([candle_at(bars, index) for index in range(len(bars))])
    trades = tuple(_trade(dealt, costs, grid) for dealt in done)
    result = Result(
        prices=bars,
        instrument=grid,
        policy=policies[Side.LONG],
        rule=FillRule.FREQTRADE,
        costs=costs,
        entries=_entries(bars, done, quantity),
        engine="step",
        trades=trades,
    )
    return Run(result, tuple(pair.path))


def _check(bars: Bars, signals: Signals) -> None:
    for name in ("enter_long", "exit_long", "enter_short", "exit_short"):
        length = len(getattr(signals, name))
        if length != len(bars):
            raise DataError(
                f"{bars.symbol}: {name} has {length} rows and there are {len(bars)} bars: give one "
                "row a bar"
            )


def _policy(strategy: Strategy, fees: Fees, side: Side, instrument: Instrument | None) -> Policy:
    policy = as_rounded(strategy.stops, entry_cost=fees.entry * side.sign)
    return policy if instrument is None else replace(policy, rounding=Rounding.MARKET)


def _trade(dealt: Dealt, costs: Costs, grid: Instrument) -> Trade:
    assert dealt.held is not None, "what was left was held"
    trade = trade_of(dealt.held.drive, costs, grid)
    # The rule was told the last candle's extremes even where the position was left at its open.
    moves = tuple(move for move in trade.moves if move.at_ms <= trade.exit_ms)
    return replace(trade, moves=moves)


def _entries(bars: Bars, done: Sequence[Dealt], quantity: Decimal | None) -> Entries:
    """The entries that were filled, at the open of the bar in which they were wanted."""

    def column(value: Callable[[Dealt], int]) -> Int64:
        return np.array([value(dealt) for dealt in done], dtype=np.int64)

    return Entries(
        index=column(lambda dealt: dealt.wanted.index),
        sign=column(lambda dealt: dealt.side.sign).astype(np.int8),
        price=column(lambda dealt: _units(bars, dealt)),
        at_close=False,
        quantity=quantity,
        labels=tuple(dealt.tag or "" for dealt in done),
    )


def _units(bars: Bars, dealt: Dealt) -> int:
    assert dealt.held is not None, "what was left was held"
    units = dealt.held.entry_price / bars.unit
    if units != int(units):
        raise DataError(
            f"{bars.symbol}: the entry price {dealt.held.entry_price} is no multiple of {bars.unit}: "
            "give bars in a smaller unit"
        )
    return int(units)
