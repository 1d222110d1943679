"""The table of positions, for terminals from 100 columns up; readable in black and white."""

from __future__ import annotations

from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from trailstop.daemon.talk.status import LegStatus, Status
from trailstop.domain.position import Phase
from trailstop.view.health import health_lines
from trailstop.view.words import (
    NOTHING,
    PHASES,
    PROTECTION,
    average,
    clock,
    hold_words,
    leg_name,
    percent,
    price,
    span,
)

WIDE_COLUMNS: Final = 150
"""From here on a row has room for its account, backstop, moves and age."""
RECENT_LINES: Final = 8
PHASE_STYLE: Final = {Phase.ACTIVE: "bold green", Phase.TRIGGERED: "bold yellow"}
TARGET: Final = "target"
NUMBER_HEADS: Final = ("entry", "price", "gain", "peak", "exact", TARGET, "live stop", "distance")


def render(status: Status, width: int) -> RenderableType:
    """The whole view: banner, positions, why they hold, what is left out, last facts."""
    wide = width >= WIDE_COLUMNS
    parts: list[RenderableType] = [banner(status), Text()]
    if status.legs:
        parts += [positions(status, wide=wide), Text()]
    several = _several_venues(status)
    parts += [_hold_line(leg, several=several) for leg in status.legs if hold_words(leg)]
    parts += _left_out(status)
    parts += health_lines(status)
    if status.recent:
        parts.append(Text(""))
        parts += [
            Text(line, style="dim", no_wrap=True, overflow="ellipsis")
            for line in status.recent[-RECENT_LINES:]
        ]
    return Group(*parts)


def banner(status: Status) -> Text:
    """Mode, time and whether everything is protected, in one line."""
    line = Text.assemble(
        ("Trailstop ", "bold"),
        (status.version, "dim"),
        "  ",
        (f" {status.mode.upper()} ", "reverse"),
        f"  {clock(status.now_ms)} UTC  ",
        no_wrap=True,
        overflow="ellipsis",
    )
    bare = status.unprotected
    if not status.legs:
        line.append("no open position")
    elif bare:
        line.append(f"{len(bare)} of {len(status.legs)} positions WITHOUT a known stop", "bold red")
    else:
        line.append(f"{len(status.legs)} open, all protected", "green")
    for account in status.accounts:
        if not account.connected:
            line.append(f"  {account.name}: NOT CONNECTED", "bold red")
    return line


def positions(status: Status, *, wide: bool) -> Table:
    """One row a position."""
    # One column between two figures: at 100 columns nothing of a price may be cut off.
    padding = (0, 1, 0, 0) if wide else 0
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=padding)
    table.add_column("position", no_wrap=True)
    several = _several_venues(status)
    if several:
        table.add_column("venue", no_wrap=True)
    if wide:
        table.add_column("account", no_wrap=True)
    table.add_column("phase", no_wrap=True)
    # The venue takes the room of the target, which is on its way to be the live stop.
    with_target = wide or not several
    for head in NUMBER_HEADS:
        if head != TARGET or with_target:
            table.add_column(head, justify="right", no_wrap=True)
    if wide:
        table.add_column("backstop", justify="right", no_wrap=True)
        table.add_column("moves", justify="right", no_wrap=True)
        table.add_column("open for", justify="right", no_wrap=True)
    for leg in status.legs:
        table.add_row(*_row(leg, status.now_ms, wide=wide, several=several))
    return table


def _several_venues(status: Status) -> bool:
    """Whether it must be said where a position lives."""
    return len({account.venue for account in status.accounts}) > 1


def _row(leg: LegStatus, now_ms: int, *, wide: bool, several: bool) -> list[RenderableType]:
    gain = leg.gain_percent
    style = "" if gain is None else "green" if gain >= 0 else "red"
    cells: list[RenderableType] = [leg_name(leg)]
    if several:
        cells.append(leg.leg.venue)
    if wide:
        cells.append(leg.leg.account)
    cells += [
        _phase(leg),
        average(leg.entry_price),
        price(leg.price),
        Text(percent(gain, signed=True), style=style),
        price(leg.peak),
        price(leg.exact_stop),
        *([price(leg.target_stop)] if wide or not several else []),
        Text(price(leg.live_stop), style="bold"),
        percent(leg.distance_percent),
    ]
    if wide:
        cells += [price(leg.backstop), str(leg.moves), span(max(0, now_ms - leg.opened_at_ms))]
    return cells


def _phase(leg: LegStatus) -> Text:
    """The phase, unless there is something worse to say than the phase."""
    if leg.protection in ("none", "unknown"):
        return Text(PROTECTION[leg.protection], style="bold red")
    if leg.paused:
        return Text("paused", style="yellow")
    return Text(PHASES[leg.phase], style=PHASE_STYLE.get(leg.phase, ""))


def _hold_line(leg: LegStatus, *, several: bool) -> Text:
    where = f" on {leg.leg.venue}" if several else ""
    line = f"{leg_name(leg)}{where}: {hold_words(leg)}"
    return Text(line, style="dim", no_wrap=True, overflow="ellipsis")


def _left_out(status: Status) -> list[RenderableType]:
    return [
        Text(
            f"NOT GUARDED on {account.name}: {', '.join(account.not_guarded) or NOTHING}", "yellow"
        )
        for account in status.accounts
        if account.not_guarded
    ]
