"""`TrailingStop`, told the same prices, leaves where the backtest does."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.lab.exact.random_markets import PACED, random_bars, random_entries
from tests.lab.exact.worlds import UNIT
from trailstop import TrailingStop
from trailstop.domain.policy import Atr, Policy
from trailstop.domain.position import Fees
from trailstop.domain.price import Side
from trailstop.errors import ConfigError
from trailstop.lab import Bars, Costs, ExitCause, FillRule, Trade, backtest

COSTS = Costs(latency_ms=0)


def told(bars: Bars, index: int, rule: FillRule, side: Side) -> list[tuple[int, Decimal]]:
    """Times and prices of a bar: its open, then the points of the rule."""
    o, h, low, c = (
        int(getattr(bars, name)[index]) * UNIT for name in ("open", "high", "low", "close")
    )
    against, favour = (low, h) if side is Side.LONG else (h, low)
    points = {
        FillRule.WORST_CASE: [o, against, favour, against, c],
        FillRule.LOW_FIRST: [o, low, h, c],
        FillRule.HIGH_FIRST: [o, h, low, c],
    }[rule]
    start_ms = int(bars.open_ms[index])
    return [
        (start_ms + bars.interval_ms * place // len(points), price)
        for place, price in enumerate(points)
    ]


def by_library(
    bars: Bars, index: int, trade: Trade, policy: Policy, rule: FillRule
) -> tuple[Decimal, int] | None:
    """Price and time of the exit; None while the position is open at the end of the data."""
    price, side = trade.entry_price, trade.side
    opened_ms = int(bars.open_ms[index]) + bars.interval_ms
    stop = TrailingStop(
        bars.symbol, price, side, policy, tick_size=UNIT, fees=Fees(COSTS.entry_fee, COSTS.exit_fee),
        opened_at=opened_ms,
    )  # fmt: skip
    stop.update_price(price, opened_ms)
    last = price
    for number in range(index + 1, len(bars)):
        for place, (at_ms, point) in enumerate(told(bars, number, rule, side)):
            # Timers that are due before a price may raise the stop first.
            exact = stop.update_price(last, at_ms).exact_stop if last != point else None
            update = stop.update_price(point, at_ms)
            if update.hit:
                level = update.exact_stop if exact is None else exact
                assert level is not None
                jumped = place == 0 or not side.better(last, level)
                return (point if jumped else level), at_ms
            last = point
    return None


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    policy=PACED,
    rule=st.sampled_from([FillRule.WORST_CASE, FillRule.LOW_FIRST, FillRule.HIGH_FIRST]),
)
def test_same_exits(seed: int, policy: Policy, rule: FillRule) -> None:
    bars = random_bars(seed)
    policy = replace(
        policy,
        on_cross="close",
        strict=False,
        backstop_percent=None,
        momentum_percent_per_minute=None,
    )
    if isinstance(policy.distance, Atr):
        policy = replace(policy, distance=Policy().distance)
    entries = random_entries(seed, bars)
    entries = type(entries)(entries.index, entries.sign, entries.price)
    result = backtest(bars, entries, policy, rule=rule, costs=COSTS, engine="step")
    for trade, index in zip(result.trades, entries.index.tolist(), strict=True):
        try:
            left = by_library(bars, index, trade, policy, rule)
        except ConfigError as error:
            # The library refuses what the backtest goes on with, and says so in the trade.
            refused = str(error)
        else:
            assert left == exit_of(trade)
            continue
        assert refused.split(": ", 1)[1] in trade.alarms


def exit_of(trade: Trade) -> tuple[Decimal, int] | None:
    if trade.cause is ExitCause.END_OF_DATA:
        return None
    return trade.exit_price, trade.exit_ms
