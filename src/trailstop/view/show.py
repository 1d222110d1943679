"""Printing a view once."""

from __future__ import annotations

from typing import Final

from rich.console import Console

from trailstop.daemon.talk.status import Status
from trailstop.view.table import render

PLAIN_COLUMNS: Final = 160


def print_status(status: Status, console: Console | None = None) -> None:
    """Print the table of positions on standard output."""
    shown = console or Console()
    if not shown.is_terminal:
        # Nobody cuts a pipe at 80 columns.
        shown = Console(width=PLAIN_COLUMNS)
    shown.print(render(status, shown.width))
