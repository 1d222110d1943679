"""What a policy makes of the positions in a window: by the kernel where it can, else by `step`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trailstop.domain.policy import Policy
from trailstop.lab.backtest import backtest
from trailstop.lab.kernel.cells import net_percent
from trailstop.lab.kernel_trades import KernelTrades
from trailstop.lab.optimise.folds import Market
from trailstop.lab.optimise.score import Outcomes
from trailstop.lab.terms import Costs, FillRule


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What every trial of a study shares."""

    rule: FillRule
    costs: Costs


def outcomes(market: Market, policy: Policy, terms: Terms) -> Outcomes:
    """The results of a window's positions under one policy, in the order of the entries."""
    found = backtest(
        market.bars,
        market.entries,
        policy,
        instrument=market.instrument,
        rule=terms.rule,
        costs=terms.costs,
        engine="auto",
        moves=False,
    )
    trades = found.trades
    if isinstance(trades, KernelTrades):
        ends = market.bars.open_ms[trades.exits.index] + market.bars.interval_ms
        net = net_percent(
            trades.exits, market.entries, terms.costs, market.instrument, market.bars.unit
        )
        return Outcomes(net, market.entry_ms, ends)
    return Outcomes(
        np.array([float(trade.net_percent) for trade in trades]),
        market.entry_ms,
        np.array([trade.exit_ms for trade in trades], dtype=np.int64),
    )
