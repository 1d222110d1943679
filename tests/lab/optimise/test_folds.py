"""Windows of a walk-forward: they follow one another, and nothing leaks from one to another."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailstop.domain.policy import Atr, Policy
from trailstop.domain.price import Instrument
from trailstop.errors import ConfigError, DataError
from trailstop.lab.data.synthetic import synthetic_bars
from trailstop.lab.entries import every
from trailstop.lab.optimise.folds import Market, span_of, walk, window
from trailstop.lab.optimise.judge import Terms, outcomes
from trailstop.lab.terms import Costs, FillRule

D = Decimal
DAY_MS = 86_400_000
TERMS = Terms(FillRule.WORST_CASE, Costs(latency_ms=0))
COUNT = 3_000
BARS = synthetic_bars(5, COUNT)
MARKET = Market(BARS, every(BARS, 37), Instrument("BTCUSDT", D("0.1"), D("0.001")))
START_MS = int(BARS.open_ms[0])
SPAN_MS = COUNT * BARS.interval_ms


@settings(max_examples=200, derandomize=True, deadline=None)
@given(
    first_ms=st.integers(0, 10**12),
    span_ms=st.integers(10, 400 * DAY_MS),
    count=st.integers(1, 8),
    train=st.none() | st.integers(1, 100 * DAY_MS),
    test=st.none() | st.integers(1, 40 * DAY_MS),
)
def test_tests_follow_one_another_to_the_end_and_trains_end_where_tests_begin(
    first_ms: int, span_ms: int, count: int, train: int | None, test: int | None
) -> None:
    until_ms = first_ms + span_ms
    try:
        folds = walk(first_ms, until_ms, count=count, train_ms=train, test_ms=test)
    except ConfigError:
        # Only what does not fit is refused.
        assert (train or 1) + count * (test or 1) > span_ms or span_ms < (train or 0) + 5 * count
        return
    assert [fold.number for fold in folds] == list(range(1, count + 1))
    assert folds[-1].until_ms == until_ms
    for fold in folds:
        assert first_ms <= fold.train_from_ms < fold.test_from_ms < fold.until_ms
    for before, after in pairwise(folds):
        assert before.until_ms == after.test_from_ms
    lengths = {(f.test_from_ms - f.train_from_ms, f.until_ms - f.test_from_ms) for f in folds}
    assert len(lengths) == 1
    ((train_ms, test_ms),) = lengths
    assert train in (None, train_ms)
    assert test in (None, test_ms)


def test_the_usual_lengths() -> None:
    folds = walk(0, 120 * DAY_MS, count=4, train_ms=60 * DAY_MS, test_ms=15 * DAY_MS)
    assert [fold.train_from_ms // DAY_MS for fold in folds] == [0, 15, 30, 45]
    assert [fold.until_ms // DAY_MS for fold in folds] == [75, 90, 105, 120]
    with pytest.raises(ConfigError, match=r"4 folds of 60\.0 days train and 15\.0 days test"):
        walk(0, 119 * DAY_MS, count=4, train_ms=60 * DAY_MS, test_ms=15 * DAY_MS)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    cuts=st.lists(st.integers(1, SPAN_MS - 1), min_size=1, max_size=4, unique=True).map(sorted),
    at_close=st.booleans(),
)
def test_every_position_is_in_one_window_and_no_window_sees_beyond_its_end(
    cuts: list[int], at_close: bool
) -> None:
    market = replace(MARKET, entries=replace(MARKET.entries, at_close=at_close))
    edges = [START_MS, *(START_MS + cut for cut in cuts), START_MS + SPAN_MS]
    seen: list[int] = []
    for from_ms, until_ms in pairwise(edges):
        try:
            part = window(market, from_ms, until_ms, Policy())
        except DataError:
            assert until_ms - from_ms < 2 * BARS.interval_ms  # no whole bar lies in it
            continue
        assert int(part.bars.open_ms[-1]) + BARS.interval_ms <= until_ms
        assert int(part.bars.open_ms[0]) >= from_ms
        assert ((part.entry_ms >= from_ms) & (part.entry_ms < until_ms)).all()
        assert (part.bars.close[part.entries.index] == part.entries.price).all()
        seen += part.entry_ms.tolist()
    assert len(seen) == len(set(seen))
    # What is left out opens with the last bar of a window, or inside a bar that is cut.
    assert len(market.entries) - len(seen) <= len(edges) - 1


@settings(max_examples=15, derandomize=True, deadline=None)
@given(cut=st.integers(600, COUNT - 600), seed=st.integers(0, 100))
def test_what_happens_after_a_window_changes_nothing_in_it(cut: int, seed: int) -> None:
    until_ms = START_MS + cut * BARS.interval_ms
    other = synthetic_bars(seed, COUNT)
    columns: dict[str, Any] = {
        name: np.concatenate((getattr(BARS, name)[:cut], getattr(other, name)[cut:]))
        for name in ("open", "high", "low", "close")
    }
    changed = replace(MARKET, bars=replace(BARS, **columns))
    before, after = (
        outcomes(window(market, START_MS, until_ms, Policy()), Policy(), TERMS)
        for market in (MARKET, changed)
    )
    assert (before.net_percent == after.net_percent).all()
    assert (before.exit_ms <= until_ms).all()


def test_an_atr_gets_the_candles_of_before_and_no_position_of_before() -> None:
    policy = Policy(distance=Atr(length=2, timeframe_minutes=1))
    from_ms = START_MS + 1_000 * BARS.interval_ms
    part = window(MARKET, from_ms, from_ms + 500 * BARS.interval_ms, policy)
    assert int(part.bars.open_ms[0]) == from_ms - 20 * BARS.interval_ms
    assert int(part.entry_ms[0]) >= from_ms


def test_an_exit_after_the_window_is_not_known_in_it() -> None:
    entries = every(BARS, 100, hold_bars=150)
    held = replace(MARKET, entries=entries)
    part = window(held, START_MS, START_MS + 300 * BARS.interval_ms, Policy())
    assert part.entries.index.tolist() == [0, 100, 200]
    assert part.entries.exit_index is not None
    assert part.entries.exit_index.tolist() == [150, 250, -1]


def test_a_position_keeps_its_own_quantity_and_label() -> None:
    count = len(MARKET.entries)
    entries = replace(
        MARKET.entries,
        quantities=tuple(map(D, range(1, count + 1))),
        labels=tuple(map(str, range(1, count + 1))),
    )
    from_ms = START_MS + 500 * BARS.interval_ms
    part = window(replace(MARKET, entries=entries), from_ms, START_MS + SPAN_MS, Policy()).entries
    assert part.labels[0] == "15", "the first fourteen open before"
    assert part.quantities == tuple(map(D, part.labels))
    assert len(part.labels) == len(part)


def test_markets_share_the_time_that_all_of_them_have() -> None:
    later = synthetic_bars(6, 100, start_ms=START_MS + 50 * BARS.interval_ms)
    markets = [MARKET, replace(MARKET, bars=later, entries=every(later, 10))]
    assert span_of(markets) == (
        START_MS + 50 * BARS.interval_ms,
        START_MS + 150 * BARS.interval_ms,
    )
    apart = synthetic_bars(6, 100, start_ms=START_MS + SPAN_MS)
    with pytest.raises(DataError, match="no time in common"):
        span_of([MARKET, replace(MARKET, bars=apart)])
