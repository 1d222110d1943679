"""A backtest made by hand: four positions whose figures can be checked on paper."""

from decimal import Decimal

import numpy as np

from trailstop.domain.policy import Policy
from trailstop.domain.position import StopKind
from trailstop.domain.price import Instrument, Side
from trailstop.lab.entries import Entries
from trailstop.lab.series import Bars
from trailstop.lab.terms import Costs, ExitCause, FillRule
from trailstop.lab.trades import Result, StopMove, Trade

D = Decimal
MINUTE_MS = 60_000
START_MS = 1_621_382_400_000
"""2021-05-19 00:00 UTC."""


def at(minute: int) -> int:
    return START_MS + minute * MINUTE_MS


def move(minute: int, before: str | None, after: str, kind: StopKind, reason: str) -> StopMove:
    return StopMove(at(minute), None if before is None else D(before), D(after), kind, reason)


WON = Trade(
    number=1,
    label="breakout <b>",
    side=Side.LONG,
    quantity=D(10),
    entry_ms=at(1),
    entry_price=D("100.0"),
    exit_ms=at(11),
    exit_price=D("103.0"),
    cause=ExitCause.TRAIL,
    crossed=True,
    best=D("104.0"),
    worst=D("99.5"),
    activated_ms=at(5),
    safe_ms=at(3),
    fees=D("1.0"),
    funding=D("-0.5"),
    net=D("29.5"),
    moves=(
        move(1, None, "98.0", StopKind.INITIAL, "initial stop: 2 % from entry 100.0"),
        move(3, "98.0", "100.2", StopKind.BREAKEVEN, "breakeven: 0.70 % gain </script>"),
        move(5, "100.2", "101.0", StopKind.TRAIL, "trailing: 0.5 % behind the peak 101.5"),
        move(8, "101.0", "103.5", StopKind.TRAIL, "trailing: 0.5 % behind the peak 104.0"),
    ),
)
LOST = Trade(
    number=2,
    label="",
    side=Side.LONG,
    quantity=D(10),
    entry_ms=at(2),
    entry_price=D("100.0"),
    exit_ms=at(20),
    exit_price=D("98.0"),
    cause=ExitCause.INITIAL_STOP,
    crossed=False,
    best=D("100.4"),
    worst=D("98.0"),
    activated_ms=None,
    safe_ms=None,
    fees=D("1.0"),
    funding=D(0),
    net=D("-21.0"),
    moves=(move(2, None, "98.0", StopKind.INITIAL, "initial stop: 2 % from entry 100.0"),),
    alarms=("the price was beyond the stop at adoption",),
)
SHORT = Trade(
    number=3,
    label="",
    side=Side.SHORT,
    quantity=D(5),
    entry_ms=at(12),
    entry_price=D("200.0"),
    exit_ms=at(30),
    exit_price=D("198.0"),
    cause=ExitCause.TRAIL,
    crossed=False,
    best=D("196.0"),
    worst=D("201.0"),
    activated_ms=at(15),
    safe_ms=at(14),
    fees=D("1.0"),
    funding=D("0.2"),
    net=D("8.8"),
    moves=(
        move(12, None, "204.0", StopKind.INITIAL, "initial stop: 2 % from entry 200.0"),
        move(14, "204.0", "198.0", StopKind.TRAIL, "trailing"),
    ),
)
EVEN = Trade(
    number=4,
    label="",
    side=Side.LONG,
    quantity=D(10),
    entry_ms=at(31),
    entry_price=D("100.0"),
    exit_ms=at(40),
    exit_price=D("100.1"),
    cause=ExitCause.BREAKEVEN,
    crossed=False,
    best=D("101.0"),
    worst=D("99.9"),
    activated_ms=None,
    safe_ms=at(35),
    fees=D("1.0"),
    funding=D(0),
    net=D("0.0"),
)
TRADES = (WON, LOST, SHORT, EVEN)


def bars(count: int = 60) -> Bars:
    """Bars around 100 that rise and fall by turns."""
    middle = 1_000 + 10 * (np.arange(count, dtype=np.int64) % 5)
    return Bars(
        symbol="BTCUSDT",
        unit=D("0.1"),
        interval_ms=MINUTE_MS,
        open_ms=START_MS + MINUTE_MS * np.arange(count, dtype=np.int64),
        open=middle,
        high=middle + 7,
        low=middle - 9,
        close=middle + 3,
        source=("BTCUSDT-1m-<2021>.csv",),
        refused=("BTCUSDT-1m-2021.csv, line 77: price 0",),
        notes=("3 holes",),
    )


def result(
    trades: tuple[Trade, ...] = TRADES, warnings: tuple[str, ...] = ("take care",), count: int = 60
) -> Result:
    prices = bars(count)
    none = np.zeros(len(trades), dtype=np.int64)
    return Result(
        prices=prices,
        instrument=Instrument("BTCUSDT", D("0.1"), D("0.001")),
        policy=Policy(),
        rule=FillRule.WORST_CASE,
        costs=Costs(),
        entries=Entries(none, none.astype(np.int8), none),
        engine="step",
        trades=trades,
        warnings=warnings,
    )
