"""What other settings would have made of the positions of a journal, on the terminal."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from trailstop.lab.report.words import moment
from trailstop.lab.whatif import AS_IT_WAS, DEFAULT, LiveTrade, Outcome, WhatIf
from trailstop.view.words import CAUSES, NOTHING, percent

PLAIN_COLUMNS: Final = 160
SETTINGS_SHOWN: Final = 10
OPEN_MARK: Final = "*"


def print_what_if(found: WhatIf, console: Console | None = None) -> None:
    """Print it on standard output."""
    shown = console or Console()
    if console is None and not shown.is_terminal:
        shown = Console(width=PLAIN_COLUMNS)
    shown.print(render_what_if(found), soft_wrap=False)


def render_what_if(found: WhatIf) -> RenderableType:
    """One row a position, then the settings over all of them."""
    parts: list[RenderableType] = []
    if found.trades:
        parts += [_positions(found), Text(), _settings(found), Text()]
        parts.append(Text(f"{OPEN_MARK} {found.note}", style="dim"))
        if any(trade.resized for trade in found.trades):
            text = "~ added to or partly closed meanwhile: the result of what was held in the end"
            parts.append(Text(text, style="dim"))
    else:
        parts.append(Text("no closed position can be judged"))
    for left in found.left_out:
        name = "" if left.leg is None else f"{left.leg}, epoch {left.epoch}: "
        parts.append(Text(f"left out: {name}{left.why}", style="yellow"))
    return Group(*parts)


def _positions(found: WhatIf) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("position", no_wrap=True)
    table.add_column("opened (UTC)", no_wrap=True)
    table.add_column("ended by")
    for head in ("it brought", AS_IT_WAS, DEFAULT, "best"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("best setting")
    for trade in found.trades:
        table.add_row(
            f"{trade.leg} {trade.side.value}",
            moment(trade.opened_ms),
            CAUSES[trade.cause],
            _live(trade),
            _net(trade.of(AS_IT_WAS)),
            _net(trade.of(DEFAULT)),
            _net(trade.best),
            trade.best.setting,
        )
    return table


def _settings(found: WhatIf) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    heads = ("mean", "worst", f"better than {AS_IT_WAS}", "open at the end")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    named = [row for row in found.settings[SETTINGS_SHOWN:] if row.setting in (AS_IT_WAS, DEFAULT)]
    for row in (*found.settings[:SETTINGS_SHOWN], *named):
        table.add_row(
            row.setting,
            _tone(row.mean_percent),
            _tone(row.worst_percent),
            f"{row.better} of {row.trades}",
            str(row.open_at_end),
        )
    return table


def _live(trade: LiveTrade) -> Text:
    if trade.net_percent is None:
        return Text(NOTHING)
    return _tone(trade.net_percent, mark="~" if trade.resized else "")


def _net(outcome: Outcome) -> Text:
    return _tone(outcome.net_percent, mark=OPEN_MARK if outcome.open_at_end else "")


def _tone(value: Decimal, *, mark: str = "") -> Text:
    style = "" if not value else "green" if value > 0 else "red"
    return Text(f"{percent(value, signed=True)}{mark}", style=style)
