"""Computed figures as the tables of the lab show them."""

from __future__ import annotations

from decimal import Decimal

from rich.console import Console
from rich.text import Text

from trailstop.view.show import PLAIN_COLUMNS
from trailstop.view.words import NOTHING, TWO_PLACES, percent, price, span


def console_for(console: Console | None) -> Console:
    """The terminal, or something wide enough for a pipe, which nobody cuts at 80 columns."""
    shown = console or Console()
    if console is None and not shown.is_terminal:
        return Console(width=PLAIN_COLUMNS)
    return shown


def share(value: float | None) -> str:
    """A percentage without sign: 12.50 %."""
    return percent(None if value is None else Decimal(value))


def change(value: float | None) -> str:
    """A signed percentage; what is next to nothing has no sign."""
    if value is None:
        return NOTHING
    rounded = Decimal(value).quantize(TWO_PLACES) + 0
    return percent(rounded, signed=bool(rounded))


def tone(value: float | None) -> Text:
    """A signed percentage in green or red."""
    style = "" if not value else "green" if value > 0 else "red"
    return Text(change(value), style=style)


def number(value: float | None) -> str:
    """A plain number with two places."""
    return NOTHING if value is None else f"{value:.2f}"


def money(value: Decimal) -> str:
    """An amount with two places, thousands set off."""
    return price(value.quantize(TWO_PLACES) + 0)


def duration(value_ms: float | None) -> str:
    """A duration in words."""
    return NOTHING if value_ms is None else span(round(value_ms))
