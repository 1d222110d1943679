"""What came of a demo: the exchange's true state joined with what the guard remembers.

Entries, exits, fees and the clocks are the exchange's; causes, phases, moves and holds are
the guard's. Nothing in it depends on the wall clock, so two runs give the same object.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from trailstop.daemon.talk.status import EpochSummary

US_PER_MS: Final = 1_000
MS_PER_SECOND: Final = 1_000
HUNDRED: Final = Decimal(100)
CENT: Final = Decimal("0.01")
PLACES: Final = Decimal("1e-12")
OPEN: Final = "open"
UNKNOWN: Final = "unknown"


class VenueResult(Struct, frozen=True, kw_only=True):
    """The clocks of one venue's accounts, as the totals have them for all."""

    venue: str
    unprotected_ms: int
    loosened_ms: int
    first_stop_ms: int | None
    size_lag_ms: int
    loosened: int
    duplicates: int
    orphans: int
    """Stops that rest at the end although their position is closed."""


class PositionResult(Struct, frozen=True, kw_only=True):
    """One position's life. Money in quote currency, `exit` None while it is open."""

    venue: str
    account: str
    symbol: str
    side: str
    quantity: Decimal
    entry: Decimal
    exit: Decimal | None
    cause: str
    phases: tuple[str, ...]
    moves: int
    holds: dict[str, int]
    peak: Decimal | None
    opened_at: str
    closed_at: str | None
    fees: Decimal
    funding: Decimal
    result_after_fees: Decimal | None
    result_percent: Decimal | None


class DemoResult(Struct, frozen=True, kw_only=True):
    """The one object of `demo --json`. The clocks end in `_ms`; `first_stop_ms` is a maximum."""

    mode: str
    data: tuple[str, ...]
    generated: bool
    positions: tuple[PositionResult, ...]
    skipped: int
    refused: int
    ended_by: str
    unprotected_ms: int
    loosened_ms: int
    first_stop_ms: int | None
    size_lag_ms: int
    loosened: int
    duplicates: int
    orphans: int
    venues: tuple[VenueResult, ...]
    """The same for each venue that the accounts are on."""
    hedge: bool
    latency_ms: int
    seed: int
    speed: float
    every: int | None
    second_reduce_only_stop: str
    mark_source: str
    taker_fee: Decimal
    maker_fee: Decimal
    slippage_percent: Decimal
    spread_ticks: int
    depth: Decimal
    notional: Decimal
    funding_rate: Decimal
    refused_rows: int
    virtual_seconds: int
    incidents: tuple[dict[str, str | int], ...] = ()
    """Each time in which a clock ran: leg, kind, `from_us` and `to_us`. Empty is as it should be."""


def join_positions(
    accounts: dict[str, Any], venues: Mapping[str, str], epochs: Sequence[EpochSummary]
) -> tuple[PositionResult, ...]:
    """Every position that the exchange knows, in the order of opening.

    `venues` has each account's venue.
    """
    found: list[tuple[int, PositionResult]] = []
    for name, account in accounts.items():
        own = [epoch for epoch in epochs if epoch.leg.account == name]
        place = (venues[name], name)
        found += [(row["opened_us"], _ended(place, row, own)) for row in account["epochs"]]
        found += [(row["opened_us"], _open(place, row, own)) for row in account["positions"]]
    return tuple(row for _, row in sorted(found, key=_order))


def _order(row: tuple[int, PositionResult]) -> tuple[int, str, str, str]:
    opened_us, position = row
    return opened_us, position.symbol, position.venue, position.account


def _remembered(
    row: dict[str, Any], epochs: Iterable[EpochSummary], until_us: int | None
) -> list[EpochSummary]:
    """The guard's epochs that lie within this life: one, or more after a loss of memory."""
    from_ms = row["opened_us"] // US_PER_MS
    until_ms = None if until_us is None else until_us // US_PER_MS
    return [
        epoch
        for epoch in epochs
        if epoch.leg.symbol == row["symbol"]
        and epoch.side.value == row["side"]
        and epoch.opened_at_ms >= from_ms
        and (until_ms is None or epoch.opened_at_ms <= until_ms)
    ]


def _ended(
    place: tuple[str, str], row: dict[str, Any], epochs: Sequence[EpochSummary]
) -> PositionResult:
    own = _remembered(row, epochs, row["closed_us"])
    cause = next((epoch.cause.value for epoch in reversed(own) if epoch.cause), UNKNOWN)
    quantity, entry = money(row["quantity"]), money(row["entry_price"])
    result = money(row["result"])
    return _result(
        place,
        row,
        own,
        quantity=quantity,
        cause=cause,
        exit_price=money(row["exit_price"]),
        closed_at=at(row["closed_us"]),
        result_after_fees=result,
        result_percent=(result / (quantity * entry) * HUNDRED).quantize(CENT),
    )


def _open(
    place: tuple[str, str], row: dict[str, Any], epochs: Sequence[EpochSummary]
) -> PositionResult:
    own = _remembered(row, epochs, None)
    return _result(place, row, own, quantity=abs(money(row["amount"])), cause=OPEN)


def _result(
    place: tuple[str, str],
    row: dict[str, Any],
    own: Sequence[EpochSummary],
    *,
    quantity: Decimal,
    cause: str,
    exit_price: Decimal | None = None,
    closed_at: str | None = None,
    result_after_fees: Decimal | None = None,
    result_percent: Decimal | None = None,
) -> PositionResult:
    holds: dict[str, int] = {}
    for epoch in own:
        for reason, count in epoch.holds.items():
            holds[reason] = holds.get(reason, 0) + count
    venue, account = place
    return PositionResult(
        venue=venue,
        account=account,
        symbol=row["symbol"],
        side=row["side"],
        quantity=quantity,
        entry=money(row["entry_price"]),
        exit=exit_price,
        cause=cause,
        phases=tuple(dict.fromkeys(phase.value for epoch in own for phase in epoch.phases)),
        moves=sum(epoch.moves for epoch in own),
        holds=dict(sorted(holds.items())),
        peak=own[-1].peak if own else None,
        opened_at=at(row["opened_us"]),
        closed_at=closed_at,
        fees=money(row["fees"]),
        funding=money(row["funding"]),
        result_after_fees=result_after_fees,
        result_percent=result_percent,
    )


def money(text: str) -> Decimal:
    """An exact figure of the exchange, to twelve places and without empty ones."""
    value = Decimal(text).quantize(PLACES)
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value.normalize()


def at(time_us: int) -> str:
    """ISO 8601 in UTC with milliseconds."""
    ms = time_us // US_PER_MS
    whole = dt.datetime.fromtimestamp(ms // MS_PER_SECOND, dt.UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{ms % MS_PER_SECOND:03d}Z"
