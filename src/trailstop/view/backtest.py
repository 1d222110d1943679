"""A backtest on the terminal: what was tested, what to beware of, what came out."""

from __future__ import annotations

from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from trailstop.lab.report.document import Document, warnings_of
from trailstop.lab.report.statistics import Group as Trades
from trailstop.lab.report.statistics import Statistics
from trailstop.lab.report.words import (
    CAUSES,
    costs_words,
    engine_words,
    moment,
    policy_words,
    positions_words,
)
from trailstop.lab.terms import ExitCause
from trailstop.view.figures import change, console_for, duration, money, number, share, tone
from trailstop.view.words import span

REFUSED_SHOWN: Final = 3
WARNING_STYLE: Final = "bold yellow"


def print_backtest(report: Document, console: Console | None = None) -> None:
    """Print a backtest on standard output."""
    console_for(console).print(render_backtest(report))


def render_backtest(report: Document) -> RenderableType:
    """The whole answer."""
    parts: list[RenderableType] = [_head(report), _terms(report), Text()]
    warnings = _warnings(report)
    if warnings:
        parts += [*warnings, Text()]
    if not report.trades:
        parts.append(Text("no position was opened"))
        return Group(*parts)
    parts += [_figures(report.statistics), Text(), _groups(report.statistics)]
    return Group(*parts)


def _head(report: Document) -> Text:
    data = report.data
    head = Text.assemble(
        (data.symbol, "bold"), f"  {positions_words(report.statistics.trades)} on {data.prices}"
    )
    if data.first_ms is not None and data.last_ms is not None:
        head.append(f", {moment(data.first_ms)} to {moment(data.last_ms)} UTC", "dim")
    return head


def _terms(report: Document) -> Table:
    """What was assumed; whoever reads a figure has to read this, too."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("policy", "; ".join(policy_words(report.policy)))
    table.add_row("order of prices", report.rule_text)
    table.add_row("costs", costs_words(report.costs))
    table.add_row("decided by", engine_words(report.engine))
    return table


def _warnings(report: Document) -> list[Text]:
    return [
        Text(f"WARNING  {line}", style=WARNING_STYLE)
        for line in warnings_of(report.warnings, report.data, REFUSED_SHOWN)
    ]


def _figures(stats: Statistics) -> Table:
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(
        "result of all",
        tone(stats.sum_net_percent),
        f"of one position's value; {money(stats.net)} quote currency",
    )
    table.add_row(
        "a position",
        tone(stats.mean_net_percent),
        f"median {change(stats.median_net_percent)}",
    )
    table.add_row(
        "earned",
        share(stats.win_percent),
        f"{stats.wins} of {stats.trades}, {change(stats.mean_win_percent)} each; "
        f"{share(stats.even_percent)} came out even, the others lost "
        f"{share(_size(stats.mean_loss_percent))} each",
    )
    table.add_row(
        "profit factor",
        number(stats.profit_factor),
        f"best {change(stats.best_net_percent)}, worst {change(stats.worst_net_percent)}",
    )
    table.add_row(
        "deepest fall",
        share(stats.max_drawdown_percent),
        f"longest under water {span(stats.longest_under_water_ms)}",
    )
    table.add_row(
        "left on the table",
        share(stats.mean_left_percent),
        f"median {share(stats.median_left_percent)}, {money(stats.left)} quote currency in all; "
        + _kept(stats),
    )
    table.add_row(
        "at risk for",
        duration(stats.mean_at_risk_ms),
        f"{share(stats.at_risk_percent)} of the time open; {span(stats.sum_at_risk_ms)} in all",
    )
    table.add_row(
        "held for", duration(stats.mean_held_ms), f"median {duration(stats.median_held_ms)}"
    )
    table.add_row(
        "moves of a stop",
        number(stats.mean_moves),
        f"{stats.moves} in all, at most {stats.most_moves}",
    )
    table.add_row("fees", money(stats.fees), f"funding {money(stats.funding)}, quote currency")
    table.add_row(
        "crossed",
        share(stats.crossed_percent),
        f"{stats.crossed} left at market before their stop rested",
    )
    return table


def _kept(stats: Statistics) -> str:
    if stats.kept_percent is None:
        return "none trailed"
    return (
        f"{share(stats.kept_percent)} of the best gains kept by the "
        f"{share(stats.activated_percent)} that trailed"
    )


def _groups(stats: Statistics) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("ended by", no_wrap=True)
    for head in ("positions", "share", "earned", "even", "mean", "sum", "crossed"):
        table.add_column(head, justify="right", no_wrap=True)
    for group in stats.causes:
        table.add_row(*_row(CAUSES[ExitCause(group.name)], group))
    if len(stats.sides) > 1:
        table.add_section()
        for group in stats.sides:
            table.add_row(*_row(group.name, group))
    return table


def _row(name: str, group: Trades) -> list[RenderableType]:
    return [
        name,
        str(group.trades),
        share(group.share_percent),
        share(group.win_percent),
        share(group.even_percent),
        tone(group.mean_net_percent),
        tone(group.sum_net_percent),
        str(group.crossed),
    ]


def _size(value: float | None) -> float | None:
    return None if value is None else abs(value)
