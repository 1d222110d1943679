"""The key figures of a backtest, each with its unit. Floats: nothing is decided by them."""

from __future__ import annotations

import statistics as stats
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Final

from msgspec import Struct

from trailstop.lab.terms import ExitCause
from trailstop.lab.trades import Trade

HUNDRED: Final = 100
EVEN_PERCENT: Final = 0.005
"""A result nearer to nothing is even: a breakeven stop earns a tick or two, which is no win."""


class Group(Struct, frozen=True):
    """Trades that have something in common: how they ended, or their side.

    `share_percent` is their part of all trades, `win_percent` and `even_percent` how many of them
    earned, or came out even, after all costs, `mean_net_percent` and `sum_net_percent` their results in percent of the value at
    entry. `crossed` counts those that left at market before their stop rested.
    """

    name: str
    trades: int
    share_percent: float
    win_percent: float
    even_percent: float
    mean_net_percent: float
    sum_net_percent: float
    crossed: int


class Statistics(Struct, frozen=True, kw_only=True):
    """What all trades of a backtest came to. Without a trade what has no value is None."""

    trades: int
    """How many positions were opened, and closed again."""
    wins: int
    """Positions that earned something after fees, funding and slippage."""
    evens: int
    """Positions that came out even: within `EVEN_PERCENT` of nothing."""
    win_percent: float | None
    """Share of those that earned, percent of all positions."""
    even_percent: float | None
    """Share of those that came out even, percent of all positions."""

    sum_net_percent: float
    """All results together, percent of the value of one position at entry, each counted alike."""
    mean_net_percent: float | None
    """Result of a position after all costs, percent of its value at entry: the expectancy."""
    median_net_percent: float | None
    """Half of all positions did better."""
    mean_win_percent: float | None
    """Result of those that earned, percent."""
    mean_loss_percent: float | None
    """Result of those that lost, percent; negative."""
    best_net_percent: float | None
    """Result of the best position, percent."""
    worst_net_percent: float | None
    """Result of the worst position, percent."""
    profit_factor: float | None
    """All that was earned ÷ all that was lost; None where nothing was lost."""
    net: Decimal
    """Result of all positions after all costs, quote currency."""
    fees: Decimal
    """Fees paid, quote currency."""
    funding: Decimal
    """Funding paid, quote currency; negative where more was received."""

    max_drawdown_percent: float
    """Deepest fall of the sum of results from its own peak, percentage points (0 or above)."""
    longest_under_water_ms: int
    """Longest time from a peak of that sum until it was reached again, or until the end, ms."""

    mean_left_percent: float | None
    """Given back from the best price to the exit, percent of the entry: money on the table."""
    median_left_percent: float | None
    """The same, of the position in the middle."""
    left: Decimal
    """The same of all positions, quote currency."""
    kept_percent: float | None
    """Of the best gains of the positions that trailed, how much was still there at the exit,
    percent, before costs; None where none trailed."""
    activated_percent: float | None
    """How many positions began to trail, percent of all."""

    sum_at_risk_ms: int
    """Time during which a position could still end with a loss, of all positions together, ms."""
    mean_at_risk_ms: float | None
    """The same of one position, ms."""
    at_risk_percent: float | None
    """The same, percent of the time for which positions were open."""
    mean_held_ms: float | None
    """How long a position was open, ms."""
    median_held_ms: float | None
    """The same, of the position in the middle."""

    moves: int
    """Moves of stops after the first; each is an order on an exchange."""
    mean_moves: float | None
    """The same a position."""
    most_moves: int
    """The same of the position with most of them."""
    crossed: int
    """Positions that left at market, since their stop was not yet where it should have been."""
    crossed_percent: float | None
    """Their share, percent of all positions."""
    alarmed: int
    """Positions about which the guard would have raised an alarm."""

    first_ms: int | None
    """First entry, Unix ms."""
    last_ms: int | None
    """Last exit, Unix ms."""
    causes: tuple[Group, ...]
    """By what ended the position, most frequent first."""
    sides: tuple[Group, ...]
    """Longs and shorts."""


class EquityPoint(Struct, frozen=True, array_like=True):
    """The sum of results after the trades that ended at `at_ms`, and how far below its peak.

    Both in percent of the value of one position, `under_percent` 0 or below.
    """

    at_ms: int
    sum_net_percent: float
    under_percent: float


def describe(trades: Sequence[Trade]) -> Statistics:
    """Compute the key figures of these trades."""
    nets = [float(trade.net_percent) for trade in trades]
    won = [net for net in nets if net > EVEN_PERCENT]
    lost = [net for net in nets if net < -EVEN_PERCENT]
    evens = len(nets) - len(won) - len(lost)
    left = [float(trade.left_percent) for trade in trades]
    at_risk = [trade.at_risk_ms for trade in trades]
    held = [trade.exit_ms - trade.entry_ms for trade in trades]
    moves = [moves_after_first(trade) for trade in trades]
    crossed = sum(trade.crossed for trade in trades)
    curve = equity(trades)
    return Statistics(
        trades=len(trades),
        wins=len(won),
        evens=evens,
        win_percent=share(len(won), len(trades)),
        even_percent=share(evens, len(trades)),
        sum_net_percent=sum(nets),
        mean_net_percent=_mean(nets),
        median_net_percent=_median(nets),
        mean_win_percent=_mean(won),
        mean_loss_percent=_mean(lost),
        best_net_percent=max(nets, default=None),
        worst_net_percent=min(nets, default=None),
        profit_factor=sum(won) / -sum(lost) if lost else None,
        net=_total(trade.net for trade in trades),
        fees=_total(trade.fees for trade in trades),
        funding=_total(trade.funding for trade in trades),
        max_drawdown_percent=-min((point.under_percent for point in curve), default=0.0),
        longest_under_water_ms=_longest_under_water_ms(trades, curve),
        mean_left_percent=_mean(left),
        median_left_percent=_median(left),
        left=_total(_left(trade) for trade in trades),
        kept_percent=_kept_percent(trades),
        activated_percent=share(_activated(trades), len(trades)),
        sum_at_risk_ms=sum(at_risk),
        mean_at_risk_ms=_mean(at_risk),
        at_risk_percent=share(sum(at_risk), sum(held)),
        mean_held_ms=_mean(held),
        median_held_ms=_median(held),
        moves=sum(moves),
        mean_moves=_mean(moves),
        most_moves=max(moves, default=0),
        crossed=crossed,
        crossed_percent=share(crossed, len(trades)),
        alarmed=sum(bool(trade.alarms) for trade in trades),
        first_ms=min((trade.entry_ms for trade in trades), default=None),
        last_ms=max((trade.exit_ms for trade in trades), default=None),
        causes=_by_cause(trades),
        sides=_groups(trades, lambda trade: trade.side.value),
    )


def equity(trades: Iterable[Trade]) -> list[EquityPoint]:
    """The sum of net results as it grew: one point for each moment at which positions ended."""
    points = []
    total = peak = 0.0
    ended = sorted(trades, key=_exit_ms)
    for at_ms, together in groupby(ended, key=_exit_ms):
        total += sum(float(trade.net_percent) for trade in together)
        peak = max(peak, total)
        points.append(EquityPoint(at_ms, total, total - peak))
    return points


def moves_after_first(trade: Trade) -> int:
    """Moves of the stop; that it was placed at all is none."""
    return sum(move.from_price is not None for move in trade.moves)


def share(part: int, whole: int) -> float | None:
    """A part in percent of the whole; None of nothing."""
    return HUNDRED * part / whole if whole else None


def _exit_ms(trade: Trade) -> int:
    return trade.exit_ms


def _mean(values: Sequence[float]) -> float | None:
    return stats.fmean(values) if values else None


def _median(values: Sequence[float]) -> float | None:
    return float(stats.median(values)) if values else None


def _total(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, Decimal(0))


def _left(trade: Trade) -> Decimal:
    return (trade.best - trade.exit_price) * trade.side.sign * trade.quantity


def _activated(trades: Iterable[Trade]) -> int:
    return sum(trade.activated_ms is not None for trade in trades)


def _kept_percent(trades: Iterable[Trade]) -> float | None:
    """All gains at the exit ÷ all best gains: a mean of shares would follow the tiniest gain."""
    kept = best = Decimal(0)
    for trade in trades:
        if trade.activated_ms is not None:
            value = trade.side.sign * trade.quantity
            kept += (trade.exit_price - trade.entry_price) * value
            best += (trade.best - trade.entry_price) * value
    return float(kept / best * HUNDRED) if best > 0 else None


def _longest_under_water_ms(trades: Sequence[Trade], curve: Sequence[EquityPoint]) -> int:
    """The curve begins at 0 with the first entry, which is its first peak."""
    if not curve:
        return 0
    longest_ms, peak, peak_ms = 0, 0.0, min(trade.entry_ms for trade in trades)
    under = False
    for point in curve:
        was_under, under = under, point.sum_net_percent < peak
        if under or was_under:
            longest_ms = max(longest_ms, point.at_ms - peak_ms)
        if not under:
            peak, peak_ms = point.sum_net_percent, point.at_ms
    return longest_ms


def _by_cause(trades: Sequence[Trade]) -> tuple[Group, ...]:
    order = {cause.value: place for place, cause in enumerate(ExitCause)}
    groups = _groups(trades, lambda trade: trade.cause.value)
    return tuple(sorted(groups, key=lambda group: (-group.trades, order[group.name])))


def _groups(trades: Sequence[Trade], key: Callable[[Trade], str]) -> tuple[Group, ...]:
    members: dict[str, list[Trade]] = {}
    for trade in trades:
        members.setdefault(key(trade), []).append(trade)
    return tuple(_group(name, members[name], len(trades)) for name in sorted(members))


def _group(name: str, members: Sequence[Trade], of: int) -> Group:
    nets = [float(trade.net_percent) for trade in members]
    return Group(
        name=name,
        trades=len(members),
        share_percent=HUNDRED * len(members) / of,
        win_percent=HUNDRED * sum(net > EVEN_PERCENT for net in nets) / len(nets),
        even_percent=HUNDRED * sum(abs(net) <= EVEN_PERCENT for net in nets) / len(nets),
        mean_net_percent=stats.fmean(nets),
        sum_net_percent=sum(nets),
        crossed=sum(trade.crossed for trade in members),
    )
