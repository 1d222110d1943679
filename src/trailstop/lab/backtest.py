"""One backtest: what each position would have come to under a policy, decided by `step`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Literal

from trailstop.domain.policy import Policy
from trailstop.domain.price import Instrument
from trailstop.errors import ConfigError
from trailstop.lab.entries import Entries
from trailstop.lab.exact.cautions import cautions, cautions_of
from trailstop.lab.exact.run import Exact
from trailstop.lab.exact.task import Task, check
from trailstop.lab.kernel_trades import KernelTrades
from trailstop.lab.series import Bars, Funding, Quotes, Trades
from trailstop.lab.terms import Costs, FillRule
from trailstop.lab.trades import Result, Trade

Engine = Literal["auto", "step", "kernel"]
Progress = Callable[[int, int], None]
"""Told how many of how many positions are done."""

FINE_LOT = Decimal("1E-8")
"""Quantity step of a symbol whose lots nobody stated."""
_REPORTS = 200
"""How often progress is told at most."""
_DEFAULT_POLICY = Policy()
_DEFAULT_COSTS = Costs()


def backtest(
    history: Any,
    entries: Entries,
    policy: Policy = _DEFAULT_POLICY,
    *,
    instrument: Instrument | None = None,
    rule: FillRule = FillRule.WORST_CASE,
    costs: Costs = _DEFAULT_COSTS,
    funding: Funding | None = None,
    quotes: Quotes | None = None,
    finer: Bars | None = None,
    engine: Engine = "auto",
    moves: bool = True,
    progress: Progress | None = None,
) -> Result:
    """Judge each entry on its own and answer with its trade.

    `history` is `Bars`, `Trades` or `Quotes` (these for policies on bid and ask), or a `History`,
    which brings instrument, funding, quotes and finer bars too; what is given beside it wins.
    Without an instrument the tick is the unit of the prices. `quotes` beside trades confirm
    jumps; `finer` are the bars for the rule of that name. For trades and quotes `rule` is of no
    account. With an ATR each entry finds the average of all candles of before it.

    With `engine` = `step` the rule that guards live positions decides event by event. `auto` takes
    the compiled kernel, which is equal to it, where that can do it and the moves of the stops
    are not wanted (`moves` = False); `kernel` insists on it. The kernel's exits are in
    `result.trades.exits`; each of its trades is made by `step` when it is looked at.

    Raises ConfigError where the arguments do not fit each other, and DataError where entries lie
    outside the data.
    """
    prices = _prices(history, policy)
    task = Task(
        prices=prices,
        entries=entries,
        policy=policy,
        instrument=_given(instrument, history, "instrument")
        or Instrument(prices.symbol, tick_size=prices.unit, quantity_step=FINE_LOT),
        rule=rule,
        costs=costs,
        funding=_given(funding, history, "funding"),
        quotes=_given(quotes, history, "quotes") if isinstance(prices, Trades) else quotes,
        finer=_given(finer, history, "finer"),
        moves=moves,
    )
    check(task)
    compiled = _by_kernel(task, engine)
    trades: Sequence[Trade] = _by_step(task, progress) if compiled is None else compiled
    warnings = cautions(task)
    if compiled is None:
        warnings += cautions_of(trades)
    return Result(
        prices=prices,
        instrument=task.instrument,
        policy=policy,
        rule=rule,
        costs=costs,
        entries=entries,
        engine="step" if compiled is None else "kernel",
        trades=trades,
        warnings=warnings,
        beside=tuple(one for one in (task.funding, task.finer, task.quotes) if one is not None),
    )


def _prices(history: Any, policy: Policy) -> Bars | Trades | Quotes:
    """The prices that decide: a history's bars or trades, but its quotes for bid and ask."""
    if isinstance(history, Bars | Trades | Quotes):
        return history
    names = ("bars", "trades", "quotes")
    for name in reversed(names) if policy.basis == "bid_ask" else names:
        prices = getattr(history, name, None)
        if isinstance(prices, Bars | Trades | Quotes):
            return prices
    raise ConfigError(f"a backtest needs bars, trades or quotes, not {type(history).__name__}")


def _given(asked: Any, history: Any, name: str) -> Any:
    """What the caller gave, else what the history brings."""
    return getattr(history, name, None) if asked is None else asked


def _by_step(task: Task, progress: Progress | None) -> tuple[Trade, ...]:
    exact, count = Exact(task), len(task.entries)
    every = max(1, count // _REPORTS)
    trades = []
    for number in range(count):
        trades.append(exact.trade(number))
        if progress is not None and (len(trades) % every == 0 or len(trades) == count):
            progress(len(trades), count)
    return tuple(trades)


def _by_kernel(task: Task, engine: Engine) -> KernelTrades | None:
    """The compiled answer, or None where `step` has to decide."""
    if engine == "step" or (engine == "auto" and task.moves):
        return None
    # Compiled code takes a second to load, which the exact engine need not wait for.
    from trailstop.lab.kernel import scan, why_not  # noqa: PLC0415

    reason: str | None = "quotes beside trades: take the exact engine"
    if task.quotes is None:
        reason = why_not(
            task.policy, task.rule, task.costs, task.instrument, task.prices, task.funding
        )
    if reason is None:
        try:
            exits = scan(
                task.prices, task.entries, task.policy, task.instrument, task.rule, task.costs
            )
        except ConfigError:
            # Some of its limits are found only while it runs.
            if engine == "kernel":
                raise
            return None
        return KernelTrades(task, exits)
    if engine == "kernel":
        raise ConfigError(reason)
    return None
