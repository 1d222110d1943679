"""Which positions a backtest or a sweep opens, as options say it."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from msgspec import Struct

if TYPE_CHECKING:
    from trailstop.domain.price import Side
    from trailstop.lab.data.history import History
    from trailstop.lab.entries import Entries
    from trailstop.lab.series import Bars, Quotes, Trades

EVERY_USUAL: Final = 60


class SideChoice(enum.StrEnum):
    """Which way positions earn."""

    LONG = "long"
    SHORT = "short"
    BOTH = "both"


EntriesOption = Annotated[
    Path | None,
    typer.Option(
        "--entries",
        metavar="FILE",
        help="Positions to open: CSV, JSON or Parquet with time, side and optionally price, "
        "quantity, label, exit.",
    ),
]
EveryOption = Annotated[
    int | None,
    typer.Option(
        "--every",
        metavar="N",
        help=f"A position each N bars (or trades); {EVERY_USUAL} unless entries are given.",
        min=1,
    ),
]
AtOption = Annotated[
    list[str] | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="A position at 2021-05-19T12:00 (UTC), or at 14:30 of every day; may be repeated.",
    ),
]
FunctionOption = Annotated[
    str | None,
    typer.Option(
        "--entries-from",
        metavar="FILE.py:FUNCTION",
        help="Positions that your own function returns; it is given the bars.",
    ),
]
SideOption = Annotated[
    SideChoice | None,
    typer.Option("--side", help="Which way they earn, long unless given or a file tells it."),
]
HoldOption = Annotated[
    int | None,
    typer.Option("--hold-bars", metavar="N", help="Close after so many bars at the latest.", min=1),
]


class Wanted(Struct, frozen=True, kw_only=True):
    """What the options say; at most one of the first four is given."""

    file: Path | None = None
    every: int | None = None
    at: tuple[str, ...] = ()
    function: str | None = None
    side: SideChoice | None = None
    hold_bars: int | None = None

    def check(self) -> None:
        """Refuse options that contradict each other."""
        ways = [self.file is not None, self.every is not None, bool(self.at), bool(self.function)]
        if sum(ways) > 1:
            raise typer.BadParameter("give one of --entries, --every, --at and --entries-from")
        if self.function and self.side is not None:
            raise typer.BadParameter(
                "--side has no effect on --entries-from: your function says it"
            )
        if self.file and self.side is SideChoice.BOTH:
            raise typer.BadParameter("--side both has no effect on --entries: the file says it")

    @property
    def quoted(self) -> Side | None:
        """Whose bars are wanted of a file of the best bid and ask; None for those of both."""
        from trailstop.domain.price import Side

        return None if self.side is SideChoice.BOTH else Side((self.side or SideChoice.LONG).value)

    def entries(self, history: History) -> Entries:
        """The positions. Raises: DataError, ConfigError."""
        from trailstop.errors import DataError
        from trailstop.lab.entries import held

        prices = history.prices
        found = self._found(prices)
        if not len(found):
            raise DataError(
                f"{history.symbol}: {len(prices)} prices are too few to open a position; give more "
                "data, or a smaller --every"
            )
        _check_quoted(prices, found)
        return found if self.hold_bars is None else held(found, self.hold_bars, len(prices))

    def _found(self, prices: Bars | Trades | Quotes) -> Entries:
        from trailstop.domain.price import Side
        from trailstop.lab.data.entries import entries_from_file
        from trailstop.lab.data.function import entries_from_function
        from trailstop.lab.entries import together

        if self.function:
            return entries_from_function(self.function, prices)
        if self.file is not None:
            side = None if self.side is None else Side(self.side.value)
            return entries_from_file(self.file, prices, side=side)
        if self.side is SideChoice.BOTH:
            return together(self._ruled(prices, Side.LONG), self._ruled(prices, Side.SHORT))
        return self._ruled(prices, Side((self.side or SideChoice.LONG).value))

    def _ruled(self, prices: Bars | Trades | Quotes, side: Side) -> Entries:
        from trailstop.lab.data.entries import entries_at
        from trailstop.lab.entries import every

        if self.at:
            return entries_at(self.at, prices, side)
        return every(prices, self.every or EVERY_USUAL, side)


def _check_quoted(prices: Bars | Trades | Quotes, entries: Entries) -> None:
    """Refuse shorts on bars of the bid, and longs on those of the ask."""
    from trailstop.errors import DataError
    from trailstop.lab.data.read import LEAVES_AT
    from trailstop.lab.series import Bars

    if not isinstance(prices, Bars):
        return
    for side, quote in LEAVES_AT.items():
        wrong = int((entries.sign == side.sign).sum())
        if wrong and prices.kind in LEAVES_AT.values() and prices.kind != quote:
            raise DataError(
                f"{prices.symbol}: these are bars of the best {prices.kind}, and of the positions "
                f"{wrong} are {side.value} and leave at the {quote}; try them alone, with --side "
                f"{side.value}"
            )
