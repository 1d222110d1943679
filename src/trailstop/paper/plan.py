"""Which positions a run opens by itself: longs and shorts in each market of its prices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Final, Literal

from trailstop.errors import DataError
from trailstop.paper.openings import Leg, Schedule
from trailstop.paper.prices.rows import PriceFile
from trailstop.paper.settings import MINUTE_US, SECOND_US
from trailstop.recorded.formats import Kind
from trailstop.recorded.names import MARK, symbol_in

US_PER_MS: Final = 1_000
FIRST_MS: Final = 10_000
"""A guard that has just linked reads its accounts before the first position opens."""
SIDES: Final[tuple[Literal["long", "short"], ...]] = ("long", "short")
LOOKED_AT_ROWS: Final = 50
"""Rows whose least distance in time is taken as the length of a bar."""


def plan_openings(
    data: Sequence[Path],
    generated: Sequence[str],
    every: int | None,
    *,
    accounts: Sequence[str],
    hedge: bool = False,
) -> Schedule:
    """Longs and shorts in each market, once or `every` so many bars (of tick files: seconds).

    In hedge mode each account holds both. In one-way mode they would net, so that the accounts
    take turns: the first holds the longs, the second the shorts, and so on. Raises: DataError
    for a file that cannot be read.
    """
    symbols = list(dict.fromkeys(generated if not data else _symbols(data)))
    return Schedule(
        legs=tuple(
            Leg(account=account, symbol=symbol, side=side)
            for symbol in symbols
            for number, account in enumerate(accounts)
            for side in (SIDES if hedge else (SIDES[number % len(SIDES)],))
        ),
        first_ms=FIRST_MS,
        every_ms=None if every is None else every * _unit_us(data) // US_PER_MS,
    )


def _symbols(data: Sequence[Path]) -> list[str]:
    found: list[str] = []
    for path in data:
        file = PriceFile(path)
        if file.kind not in (Kind.BARS, Kind.TRADES):
            continue
        column = file.columns.get("symbol")
        if column is not None:
            found += dict.fromkeys(row[column].strip() for _, _, row in file.rows())
        elif MARK not in path.name:
            found.append(_named(path))
    return found


def _named(path: Path) -> str:
    symbol = symbol_in(path.name)
    if symbol is None:
        raise DataError(
            f"{path}: the name does not say which market it is; rename the file so that it has "
            f"the symbol in it, as in BTCUSDT-1m.csv"
        )
    return symbol


def _unit_us(data: Sequence[Path]) -> int:
    """What `every` counts: the shortest bar there is, or a second where there are none."""
    bars = [file for file in map(PriceFile, data) if file.kind is Kind.BARS]
    if data and not bars:
        return SECOND_US
    return min((_bar_us(file) for file in bars), default=MINUTE_US)


def _bar_us(file: PriceFile) -> int:
    times = [time_us for _, time_us, _ in islice(file.rows(), LOOKED_AT_ROWS) if time_us]
    return min((later - earlier for earlier, later in pairwise(times)), default=MINUTE_US)
