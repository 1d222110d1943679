"""A sweep on the terminal: the best combinations beside their neighbours."""

from __future__ import annotations

from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from trailstop.lab.report.document import warnings_of
from trailstop.lab.report.grid import Cell, GridDocument
from trailstop.lab.report.words import (
    costs_words,
    engine_words,
    moment,
    policy_words,
    positions_words,
)
from trailstop.view.figures import change, console_for, share, tone

REFUSED_SHOWN: Final = 3
WARNING_STYLE: Final = "bold yellow"
HEADS: Final = ("mean", "neighbours", "sum", "above 0", "worst", "deepest fall")


def print_sweep(report: GridDocument, console: Console | None = None) -> None:
    """Print a sweep on standard output."""
    console_for(console).print(render_sweep(report))


def render_sweep(report: GridDocument) -> RenderableType:
    """The whole answer."""
    lines = warnings_of(report.warnings, report.data, REFUSED_SHOWN)
    parts: list[RenderableType] = [_head(report), _terms(report), Text()]
    if lines:
        parts += [*(Text(f"WARNING  {line}", style=WARNING_STYLE) for line in lines), Text()]
    return Group(*parts, _best(report))


def _head(report: GridDocument) -> Text:
    data = report.data
    head = Text.assemble(
        (data.symbol, "bold"),
        f"  {len(report.cells)} combinations, {positions_words(report.trades)} each, on {data.prices}",
    )
    if data.first_ms is not None and data.last_ms is not None:
        head.append(f", {moment(data.first_ms)} to {moment(data.last_ms)} UTC", "dim")
    return head


def _terms(report: GridDocument) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("in force", "; ".join(policy_words(report.policy)))
    table.add_row("order of prices", report.rule_text)
    table.add_row("costs", costs_words(report.costs))
    table.add_row("decided by", engine_words("kernel"))
    for note in report.notes:
        table.add_row("note", note)
    return table


def _best(report: GridDocument) -> Table:
    """The best ten, and last what is in force, where it was among those tried."""
    others = any(cell.other for cell in report.best)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for head in ("activation", "distance"):
        table.add_column(head, justify="right", no_wrap=True)
    if others:
        table.add_column("settings", no_wrap=True)
    for head in HEADS:
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("")
    for cell in report.best:
        table.add_row(*_row(cell, report, others=others))
    now = report.in_force
    if now is not None and now not in report.best:
        table.add_section()
        table.add_row(*_row(now, report, others=others))
    return table


def _row(cell: Cell, report: GridDocument, *, others: bool) -> list[RenderableType]:
    notes = [
        *(["an island"] if cell.is_island else []),
        *(["in force"] if cell == report.in_force else []),
    ]
    return [
        cell.activation,
        cell.distance,
        *([cell.other] if others else []),
        tone(cell.mean_percent),
        tone(cell.neighbours_percent),
        change(cell.sum_percent),
        share(cell.win_percent),
        change(cell.worst_percent),
        share(cell.drawdown_percent),
        ", ".join(notes),
    ]
