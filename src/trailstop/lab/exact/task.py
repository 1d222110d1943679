"""All that a backtest is given, looked at before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from trailstop.domain.policy import HUNDRED, Policy
from trailstop.domain.price import Instrument
from trailstop.errors import ConfigError, DataError
from trailstop.lab.entries import NEVER, Entries
from trailstop.lab.series import Bars, Funding, Quotes, Trades
from trailstop.lab.terms import Costs, FillRule

DEFAULT_VALUE = Decimal(1000)
"""Value of a position whose quantity nobody gave, quote currency."""


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """One policy on one symbol's prices.

    `moves` asks for the moves of the stops with their reasons; `every` tells the rule each price,
    also those that change nothing.
    """

    prices: Bars | Trades | Quotes
    entries: Entries
    policy: Policy
    instrument: Instrument
    rule: FillRule
    costs: Costs
    funding: Funding | None = None
    quotes: Quotes | None = None
    finer: Bars | None = None
    moves: bool = True
    every: bool = False


def check(task: Task) -> None:
    """Raise ConfigError or DataError, a line each, for what cannot be backtested."""
    _check_costs(task.costs)
    _check_basis(task)
    _check_entries(task.prices, task.entries)


def quantity_at(price: Decimal, asked: Decimal | None, instrument: Instrument) -> Decimal:
    """Size of a position on the lot grid, base currency.

    Raises ConfigError where it is below what the exchange takes.
    """
    quantity = instrument.snap_quantity(DEFAULT_VALUE / price if asked is None else asked)
    if quantity > 0 and quantity >= instrument.min_quantity:
        least = instrument.min_notional
        if least is None or quantity * price >= least:
            return quantity
    wanted = f"a value of {DEFAULT_VALUE}" if asked is None else f"a quantity of {asked}"
    raise ConfigError(
        f"{instrument.symbol}: {wanted} is too small at price {price} (steps of "
        f"{instrument.quantity_step}, at least {instrument.min_quantity}): give a larger quantity"
    )


def _check_costs(costs: Costs) -> None:
    if costs.latency_ms < 0:
        raise ConfigError(f"latency_ms must not be negative, not {costs.latency_ms}")
    if not 0 <= costs.slippage_percent < HUNDRED:
        raise ConfigError(
            f"slippage_percent must be at least 0 and below 100, not {costs.slippage_percent}"
        )


def _check_basis(task: Task) -> None:
    symbol, basis = task.prices.symbol, task.policy.basis
    if isinstance(task.prices, Quotes):
        if basis != "bid_ask":
            raise ConfigError(
                f"{symbol}: this policy watches {basis}, and quotes tell only bid and ask: give "
                "bars or trades, or a policy with basis bid_ask"
            )
    elif basis == "bid_ask":
        raise ConfigError(f"{symbol}: this policy watches bid and ask: give quotes as prices")
    elif basis == "last_or_bid_ask" and task.quotes is None:
        raise ConfigError(
            f"{symbol}: this policy watches trades, bid and ask: give trades and quotes"
        )
    if task.quotes is not None and not isinstance(task.prices, Trades):
        raise ConfigError(f"{symbol}: quotes go beside trades, not beside bars or quotes")


def _check_entries(prices: Bars | Trades | Quotes, entries: Entries) -> None:
    index, count = entries.index, len(prices)
    if not len(index):
        raise DataError(f"{prices.symbol}: there are no entries: give at least one")
    if index[0] < 0 or index[-1] >= count or np.any(index[1:] < index[:-1]):
        raise DataError(
            f"{prices.symbol}: entries must rise from 0 to {count - 1}, the last of the prices"
        )
    if not len(index) == len(entries.sign) == len(entries.price) or (
        entries.labels and len(entries.labels) != len(index)
    ):
        raise DataError(f"{prices.symbol}: the columns of the entries differ in length")
    if not np.all(entries.price > 0):
        raise DataError(f"{prices.symbol}: an entry price is not above 0")
    limit = entries.exit_index
    if limit is not None and np.any((limit != NEVER) & ((limit < index) | (limit >= count))):
        raise DataError(
            f"{prices.symbol}: a position is closed before it is opened or after the data"
        )
