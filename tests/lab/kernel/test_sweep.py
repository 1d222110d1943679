"""Each cell of a sweep is a backtest of its own, found faster."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import polars
import pytest

from tests.lab.kernel.equality import grid_differences
from trailstop.domain.policy import Absolute, Atr, Callback, Policy, Steps
from trailstop.domain.price import Instrument
from trailstop.errors import ConfigError
from trailstop.lab.entries import every
from trailstop.lab.kernel import scan
from trailstop.lab.series import Bars
from trailstop.lab.sweep import Grid, sweep
from trailstop.lab.terms import Costs, ExitCause, FillRule

UNIT = Decimal("0.1")
TICK = Instrument("BTCUSDT", Decimal("0.5"), Decimal("0.001"))
COSTS = Costs(slippage_percent=Decimal("0.02"), latency_ms=0)
ACTIVATION = [Decimal("0.5"), Decimal(0), Decimal("1.5")]
DISTANCE = [Callback(Decimal(1)), Absolute(Decimal(20)), Callback(Decimal("0.3")), Steps(), Atr()]


def walk(count: int = 3_000) -> Bars:
    random = np.random.default_rng(3)
    close = 100_000 + np.cumsum(random.integers(-120, 121, count))
    open_ = np.concatenate((close[:1], close[:-1]))
    high = np.maximum(open_, close) + random.integers(0, 80, count)
    low = np.minimum(open_, close) - random.integers(0, 80, count)
    times = np.arange(count, dtype=np.int64) * 60_000
    return Bars("BTCUSDT", UNIT, 60_000, times, open_, high, low, close)


def swept(**others: object) -> Grid:
    bars = walk()
    return sweep(
        bars, every(bars, 40), Policy(), activation=ACTIVATION, distance=DISTANCE,
        breakeven=[None, Decimal("0.4")], costs=COSTS, instrument=TICK, **others,
    )  # fmt: skip  # type: ignore[arg-type]


def test_no_cell_of_random_sweeps_differs_from_its_backtest():
    random = np.random.default_rng(20261120)
    assert [grid_differences(random) for _ in range(80)] == [[]] * 80


def test_figures_are_those_of_the_exits():
    grid, bars = swept(keep_exits=True), walk()
    entries = every(bars, 40)
    for place in np.ndindex(grid.sum_percent.shape):
        exits = scan(bars, entries, grid.policy_at(place), TICK, FillRule.WORST_CASE, COSTS)
        assert np.array_equal(exits.index, grid.exits_at(place).index)
        filled = np.floor(exits.price / exits.scale * (1 - 0.0002) / 5) * 5
        gross = filled - entries.price
        net = (gross - (entries.price + filled) * 0.0005) / entries.price * 100
        running = np.concatenate(([0.0], np.cumsum(net)))
        falls = np.maximum.accumulate(running) - running
        assert grid.trades == len(net)
        assert grid.sum_percent[place] == pytest.approx(net.sum())
        assert grid.mean_percent[place] == pytest.approx(net.mean())
        assert grid.worst_percent[place] == pytest.approx(net.min())
        assert grid.win_percent[place] == pytest.approx((net > 0).mean() * 100)
        assert grid.drawdown_percent[place] == pytest.approx(falls.max())
        causes = [tuple(ExitCause)[cause].value for cause in exits.cause]
        counted = dict(zip(grid.cause_names, grid.causes[place].tolist(), strict=True))
        assert counted == {name: causes.count(name) for name in grid.cause_names}


def test_threads_change_nothing():
    one, two = swept(threads=1), swept(threads=2)
    for name in ("sum_percent", "win_percent", "worst_percent", "drawdown_percent", "causes"):
        assert np.allclose(getattr(one, name), getattr(two, name), rtol=0, atol=1e-9), name


def test_progress_rises_to_all_exits():
    told: list[tuple[int, int]] = []
    grid = swept(progress=lambda done, total: told.append((done, total)))
    total = grid.sum_percent.size * grid.trades
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_file_has_the_exact_settings_as_text(tmp_path: Path):
    grid = swept()
    grid.write_parquet(tmp_path / "grid.parquet")
    table = polars.read_parquet(tmp_path / "grid.parquet")
    assert len(table) == grid.sum_percent.size
    assert table["activation_percent"].unique(maintain_order=True).to_list() == ["0.5", "0", "1.5"]
    assert table["breakeven_at_percent"].unique(maintain_order=True).to_list() == ["none", "0.4"]
    assert "callback 0.3" in table["distance"].to_list()
    assert table["sum_percent"].max() == grid.sum_percent[grid.best]
    shared = polars.read_parquet_metadata(tmp_path / "grid.parquet")
    assert shared["fill_rule"] == "worst_case"


def test_an_axis_without_values_is_an_error():
    bars = walk(50)
    with pytest.raises(ConfigError, match="the sweep's activation has no values"):
        sweep(bars, every(bars, 10), Policy(), activation=[])


@pytest.mark.parametrize("distance", [Decimal(0), Decimal(100), Absolute(Decimal(0))])
def test_a_distance_that_no_policy_takes_is_an_error(distance: Decimal | Absolute):
    bars = walk(50)
    with pytest.raises(ConfigError, match="must be above 0"):
        sweep(
            bars, every(bars, 10), Policy(), distance=[Decimal(1), Absolute(Decimal(9)), distance]
        )


def test_latency_is_left_to_the_exact_engine():
    bars = walk(50)
    with pytest.raises(ConfigError, match="latency of 250 ms"):
        sweep(bars, every(bars, 10), Policy(), costs=Costs())


def test_exits_that_were_not_kept_are_an_error():
    with pytest.raises(ConfigError, match="keep_exits=True"):
        swept().exits_at((0, 0, 0, 0))
