"""What is not told to the rule changes nothing: all trades are those of a drive that tells all."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.lab.exact.random_markets import (
    COSTS,
    SETTINGS,
    random_bars,
    random_entries,
    random_quotes,
    random_trades,
)
from tests.lab.exact.worlds import MINUTE_MS
from trailstop.domain.policy import Policy
from trailstop.domain.price import Instrument
from trailstop.lab import Bars, Costs, Entries, FillRule, Funding, Quotes, Trades
from trailstop.lab.exact.run import Exact
from trailstop.lab.exact.task import Task

POINTED = [rule for rule in FillRule if rule not in (FillRule.FREQTRADE, FillRule.FINER)]
SEEDS = st.integers(0, 2**32 - 1)
QUICK = settings(max_examples=120, deadline=None, derandomize=True)


def same(
    prices: Bars | Trades | Quotes,
    entries: Entries,
    policy: Policy,
    costs: Costs,
    *,
    rule: FillRule = FillRule.WORST_CASE,
    funding: Funding | None = None,
    quotes: Quotes | None = None,
) -> None:
    made = []
    for every in (False, True):
        task = Task(
            prices=prices,
            entries=entries,
            policy=policy,
            instrument=Instrument("BTCUSDT", Decimal("0.05"), Decimal("0.001")),
            rule=rule,
            costs=costs,
            funding=funding,
            quotes=quotes,
            every=every,
        )
        exact = Exact(task)
        made.append([exact.trade(number) for number in range(len(entries))])
    assert made[0] == made[1]


@QUICK
@given(seed=SEEDS, policy=SETTINGS, rule=st.sampled_from(POINTED), costs=COSTS)
def test_bars(seed: int, policy: Policy, rule: FillRule, costs: Costs) -> None:
    bars = random_bars(seed)
    times = bars.open_ms[7::25] + (seed % 3) * MINUTE_MS // 2
    rates = (Decimal("0.0004"), Decimal("-0.0002"), Decimal("0.0001")) * len(times)
    funding = Funding("BTCUSDT", np.asarray(times), rates[: len(times)])
    same(
        bars,
        random_entries(seed, bars),
        policy,
        costs,
        rule=rule,
        funding=funding if seed % 2 else None,
    )


@QUICK
@given(seed=SEEDS, policy=SETTINGS, costs=COSTS)
def test_trades(seed: int, policy: Policy, costs: Costs) -> None:
    trades = random_trades(seed)
    same(trades, random_entries(seed, trades), policy, costs)


@QUICK
@given(seed=SEEDS, policy=SETTINGS, costs=COSTS)
def test_quotes(seed: int, policy: Policy, costs: Costs) -> None:
    quotes = random_quotes(seed)
    policy = replace(policy, basis="bid_ask")
    same(quotes, random_entries(seed, quotes), policy, costs)


@QUICK
@given(seed=SEEDS, policy=SETTINGS, costs=COSTS)
def test_trades_with_quotes(seed: int, policy: Policy, costs: Costs) -> None:
    trades, quotes = random_trades(seed), random_quotes(seed + seed % 2)
    same(trades, random_entries(seed, trades), policy, costs, quotes=quotes)
