"""The real guard on the paper exchange and a backtest of its prices end alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.lab.exact.worlds import MINUTE_MS, START_MS, of_moment
from trailstop.domain.price import Side
from trailstop.lab import Bars, Costs, Entries, FillRule, backtest
from trailstop.lab.data import read_bars

ROOT = Path(__file__).parents[3]
TICK = Decimal("0.1")
PATIENCE_S = 90
RISES, FALLS = 9, 2
ROUND_TRIP_MS = 500
SLIPPAGE_PERCENT = Decimal("0.01")
"""Of a market order on the paper exchange unless one says otherwise."""


def market(folder: Path) -> Path:
    """Nine minutes up by a quarter of a percent, two down by a half."""
    rows, price = ["timestamp,open,high,low,close,volume"], Decimal(38_700)
    for number in range(RISES + FALLS):
        close = price * (Decimal("1.0025") if number < RISES else Decimal("0.995"))
        low, high = min(price, close) * Decimal("0.9995"), max(price, close) * Decimal("1.0005")
        figures = ",".join(f"{value:.1f}" for value in (price, high, low, close))
        rows.append(f"{START_MS + number * MINUTE_MS},{figures},10")
        price = close
    path = folder / "BTCUSDT-1m.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def guarded(path: Path, folder: Path) -> dict[str, Any]:
    own = {name: text for name, text in os.environ.items() if not name.startswith("TRAILSTOP")}
    environ = {"PYTHONPATH": str(ROOT / "src"), "HOME": str(folder), "TMPDIR": str(folder)}
    words = ["demo", "--data", str(path), "--speed", "0", "--once", "--json", "--latency-ms", "250"]
    played = subprocess.run(
        [sys.executable, "-m", "trailstop", *words],
        capture_output=True,
        text=True,
        env={**own, **environ},
        timeout=PATIENCE_S,
        check=False,
        cwd=folder,
    )
    assert played.returncode == 0, played.stderr
    answer: dict[str, Any] = json.loads(played.stdout)
    return answer


def entered(bars: Bars, side: Side, price: Decimal) -> Entries:
    return Entries(
        index=np.array([0]),
        sign=np.array([side.sign], dtype=np.int8),
        price=np.array([int(price / bars.unit)]),
        at_close=False,
    )


@pytest.mark.slow
def test_the_guard_and_a_backtest_of_its_prices_end_alike(tmp_path: Path) -> None:
    path = market(tmp_path)
    bars = read_bars(path)
    costs = Costs(slippage_percent=SLIPPAGE_PERCENT, latency_ms=ROUND_TRIP_MS)
    positions = guarded(path, tmp_path)["positions"]
    assert sorted(row["side"] for row in positions) == ["long", "short"]
    for row in positions:
        entries = entered(bars, Side(row["side"]), Decimal(row["entry"]))
        result = backtest(bars, entries, rule=FillRule.PAPER, costs=costs)
        (trade,) = result.trades
        assert trade.cause.value == row["cause"]
        # The first stop is a placement, not a move.
        assert len(trade.moves) - 1 == row["moves"]
        assert abs(trade.exit_price - Decimal(row["exit"])) <= TICK
        assert abs(trade.exit_ms - of_moment(row["closed_at"])) <= 1_000
        if row["peak"] is not None:
            assert trade.best == Decimal(row["peak"])
