"""What the rule would make of many paths: a fan of prices and stops, and where it would end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from msgspec import Struct

from trailstop.domain.policy import Atr, Policy
from trailstop.domain.position import Fees, Leg
from trailstop.domain.price import Side
from trailstop.engine.trail import Trail
from trailstop.lab.forecast.forecast import (
    SCHEMA_VERSION,
    SHOWN_ROWS,
    End,
    check_open,
    end_of,
    locked_in,
)
from trailstop.lab.forecast.paths import Path
from trailstop.lab.forecast.walk import Walk
from trailstop.library import OWN_BOOK

PERCENTILES: Final = (5, 25, 50, 75, 95)
HUNDRED: Final = 100
MS_PER_MINUTE: Final = 60_000
SHARE_PLACES: Final = Decimal("0.01")


class FanRow(Struct, frozen=True):
    """One moment: percentiles 5, 25, 50, 75 and 95 over the paths, quote currency.

    `price` is over all paths, `live_stop` and `locked_in` (the result after fees if that stop
    fired) over those still open, which are `open_percent` of all; None where fewer than one is.
    """

    at_ms: int
    price: tuple[Decimal, ...]
    live_stop: tuple[Decimal, ...] | None
    locked_in: tuple[Decimal, ...] | None
    open_percent: Decimal


class EndCause(Struct, frozen=True):
    """How many paths ended so, and with what result on average, percent of the entry's value."""

    cause: str
    count: int
    share_percent: Decimal
    mean_net_percent: Decimal


class Fan(Struct, frozen=True):
    """A position led along many paths.

    `net_percent` holds percentiles 5, 25, 50, 75 and 95 of the result after fees, percent of the
    value at entry; a position still open counts at its last price. `no_loss_percent` is the share of
    paths that lose nothing.
    """

    symbol: str
    side: Side
    entry_price: Decimal
    quantity: Decimal
    policy: Policy
    fees: Fees
    paths: int
    method: str
    rows: tuple[FanRow, ...]
    ends: tuple[EndCause, ...]
    net_percent: tuple[Decimal, ...]
    mean_net_percent: Decimal
    no_loss_percent: Decimal
    mean_hold_ms: int
    alarms: tuple[str, ...] = ()
    leg: Leg | None = None
    schema_version: int = SCHEMA_VERSION


def fan(
    trail: Trail,
    paths: Sequence[Path],
    *,
    method: str,
    progress: Callable[[int], None] | None = None,
) -> Fan:
    """Lead the trail along every path; all of them share their times.

    `method` says in words how the paths were drawn. `progress` is told how many are done.
    """
    check_open(trail)
    times = _shown(paths[0])
    prices: list[list[Decimal]] = [[] for _ in times]
    stops: list[list[Decimal]] = [[] for _ in times]
    standing = [0] * len(times)
    ends: list[End] = []
    alarms: dict[str, None] = {}
    for number, path in enumerate(paths):
        walk = Walk(trail)
        walk.begin(path[0].price, path[0].at_ms)
        candles = _Candles(trail)
        row = 0
        for index, point in enumerate(path):
            if index:
                walk.go(point.price, point.at_ms)
                candles.feed(walk, point.price, point.at_ms)
            if index != times[row]:
                continue
            prices[row].append(point.price)
            if walk.hit is None:
                standing[row] += 1
                if walk.trail.live_stop is not None:
                    stops[row].append(walk.trail.live_stop)
            row += 1
        ends.append(end_of(walk, path))
        alarms.update(dict.fromkeys(walk.alarms))
        if progress is not None:
            progress(number + 1)
    results = [end.net_percent for end in ends]
    position = trail.position
    return Fan(
        symbol=trail.leg.symbol,
        side=position.side,
        entry_price=position.entry_price,
        quantity=position.quantity,
        policy=trail.policy,
        fees=trail.fees,
        paths=len(paths),
        method=method,
        rows=tuple(
            FanRow(
                at_ms=paths[0][index].at_ms,
                price=percentiles(prices[row]),
                live_stop=percentiles(stops[row]) if stops[row] else None,
                locked_in=_locked(trail, stops[row]),
                open_percent=_share(standing[row], len(paths)),
            )
            for row, index in enumerate(times)
        ),
        ends=_ends(ends),
        net_percent=percentiles(results),
        mean_net_percent=_mean(results),
        no_loss_percent=_share(sum(result >= 0 for result in results), len(paths)),
        mean_hold_ms=sum(end.at_ms - paths[0][0].at_ms for end in ends) // len(ends),
        alarms=tuple(alarms),
        leg=None if trail.leg.venue == OWN_BOOK else trail.leg,
    )


def percentiles(values: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """Percentiles 5, 25, 50, 75 and 95: of the values in order, the nearest one (nearest rank)."""
    ordered = sorted(values)
    return tuple(
        ordered[max(0, -(-percent * len(ordered) // HUNDRED) - 1)] for percent in PERCENTILES
    )


class _Candles:
    """Closed candles of a path for a distance that follows the ATR; else nothing."""

    def __init__(self, trail: Trail) -> None:
        distance = trail.policy.distance
        self._span_ms = (
            distance.timeframe_minutes * MS_PER_MINUTE if isinstance(distance, Atr) else None
        )
        self._prices: list[Decimal] = []
        self._slot = 0

    def feed(self, walk: Walk, price: Decimal, at_ms: int) -> None:
        """Take one price; the candle closes with the first one at or after its end."""
        if self._span_ms is None:
            return
        self._prices.append(price)
        slot = at_ms // self._span_ms
        if slot != self._slot and self._slot:
            high, low = max(self._prices), min(self._prices)
            walk.candle(high, low, price, at_ms)
            self._prices = [price]
        self._slot = slot


def _shown(path: Path) -> list[int]:
    """Which points of a path have a row; the first and the last among them."""
    last = len(path) - 1
    rows = min(SHOWN_ROWS, last)
    return sorted({last * number // rows for number in range(rows + 1)})


def _locked(trail: Trail, stops: Sequence[Decimal]) -> tuple[Decimal, ...] | None:
    return percentiles([locked_in(trail, stop) for stop in stops]) if stops else None


def _ends(ends: Sequence[End]) -> tuple[EndCause, ...]:
    counts = Counter(end.cause for end in ends)
    return tuple(
        EndCause(
            cause=cause,
            count=count,
            share_percent=_share(count, len(ends)),
            mean_net_percent=_mean([end.net_percent for end in ends if end.cause == cause]),
        )
        for cause, count in counts.most_common()
    )


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, start=Decimal(0)) / len(values)


def _share(part: int, whole: int) -> Decimal:
    return (Decimal(part * HUNDRED) / whole).quantize(SHARE_PLACES, ROUND_HALF_EVEN)
