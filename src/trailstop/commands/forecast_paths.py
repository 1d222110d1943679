"""The path of `trailstop forecast`, as people write it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path as File
from typing import TYPE_CHECKING, Final

import typer
from msgspec import Struct

from trailstop.commands.lab_options import number
from trailstop.errors import ConfigError, DataError

if TYPE_CHECKING:
    from trailstop.domain.price import Side
    from trailstop.lab.forecast import Path

HUNDRED: Final = 100
US_PER_MS: Final = 1_000
USUAL_WAY: Final = "5%"
"""Where a forecast goes that was told no path: so far in the position's favour, and back."""
COLUMNS_WITH_TIME: Final = 2
OPTIONS: Final = "--to, --peak with --back, --prices or --simulate"


class Drawn(Struct, frozen=True, kw_only=True):
    """What the options say of the path; at most one way is given."""

    to: str | None = None
    peak: str | None = None
    back: str | None = None
    prices: File | None = None
    simulate: int | None = None
    over_ms: int

    def check(self) -> None:
        """Refuse options that contradict each other, or want another one."""
        ways = [self.to, self.peak, self.prices, self.simulate]
        if sum(way is not None for way in ways) > 1:
            raise typer.BadParameter(f"give one path: {OPTIONS}")
        if (self.back is None) != (self.peak is None):
            raise typer.BadParameter("--peak and --back go together: where to, and back to where")

    def path(self, start: Decimal, at_ms: int, side: Side) -> Path:
        """The path from the price of now on."""
        from trailstop.lab.forecast import evenly, through  # noqa: PLC0415

        if self.prices is not None:
            times_ms, prices = _read_prices(self.prices)
            if times_ms is None:
                prices = prices if prices[0] == start else [start, *prices]
                return evenly(prices, at_ms, self.over_ms)
            return _timed(start, at_ms, times_ms, prices)
        if self.to is not None:
            return through([start, _level(self.to, start)], at_ms, self.over_ms)
        if self.peak is not None and self.back is not None:
            stations = [start, _level(self.peak, start), _level(self.back, start)]
            return through(stations, at_ms, self.over_ms)
        sign = "+" if side.sign > 0 else "-"
        return through([start, _level(sign + USUAL_WAY, start), start], at_ms, self.over_ms)


def _level(text: str, start: Decimal) -> Decimal:
    """A price, or a percentage of the price of now: 70000, +5%, -2.5%."""
    body = text.strip()
    if not body.endswith("%"):
        return number(body, "a price of the path")
    try:
        percent = Decimal(body[:-1])
    except InvalidOperation:
        raise typer.BadParameter(f"'{text}' is no percentage; write +5% or -2.5%") from None
    price = start + start * percent / HUNDRED
    if not (price.is_finite() and price > 0):
        raise typer.BadParameter(f"{text} from {start} leaves no price above 0")
    return price


def _read_prices(file: File) -> tuple[list[int] | None, list[Decimal]]:
    """A price a line, or `time,price`; times are Unix times or ISO. Raises: DataError."""
    from trailstop.recorded.formats import parse_time_us  # noqa: PLC0415

    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{file} cannot be read ({error}); give a text file of prices") from None
    times_ms: list[int] = []
    prices: list[Decimal] = []
    for row, line in enumerate(lines, start=1):
        cells = [cell.strip() for cell in line.split(",")]
        if not line.strip() or line.startswith("#"):
            continue
        try:
            price = Decimal(cells[-1])
        except InvalidOperation:
            if not prices:
                continue  # The names of the columns.
            raise DataError(f"{file}, line {row}: '{cells[-1]}' is no price") from None
        if not (price.is_finite() and price > 0):
            raise DataError(f"{file}, line {row}: a price is above 0, not {price}")
        prices.append(price)
        if len(cells) == COLUMNS_WITH_TIME:
            at_us = parse_time_us(cells[0])
            if at_us is None or (times_ms and at_us // US_PER_MS <= times_ms[-1]):
                raise DataError(f"{file}, line {row}: '{cells[0]}' is no later time")
            times_ms.append(at_us // US_PER_MS)
    if not prices or len(times_ms) not in (0, len(prices)):
        raise DataError(f"{file}: give one price a line, or time,price in every line")
    return times_ms or None, prices


def _timed(start: Decimal, at_ms: int, times_ms: Sequence[int], prices: Sequence[Decimal]) -> Path:
    """The recorded times, moved so that the first price is now."""
    from trailstop.lab.forecast import Point  # noqa: PLC0415

    if len(prices) == 1:
        raise ConfigError("a path with times has two prices at least")
    first = Point(at_ms, start)
    later = (
        Point(at_ms + time_ms - times_ms[0], price)
        for time_ms, price in zip(times_ms[1:], prices[1:], strict=True)
    )
    return (first, *later)
