"""How a running demo is shown: a live table on a terminal, else one line a fact, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from trailstop.daemon.talk.status import Fact, Status
from trailstop.view.table import render
from trailstop.view.words import fact_line


class Screen(Protocol):
    """What a story tells while it runs."""

    wants_status: bool
    wants_facts: bool

    def open(self, title: str) -> None:
        """Begin; the title says what is played."""
        ...

    def status(self, status: Status) -> None:
        """The guard's present state."""
        ...

    def facts(self, facts: Sequence[Fact]) -> None:
        """Facts since the last call."""
        ...

    def close(self) -> None:
        """Leave the terminal in order."""
        ...


class LiveScreen:
    """The table of positions, drawn in place."""

    wants_status = True
    wants_facts = False

    def __init__(self, console: Console) -> None:
        self._console = console
        self._title = ""
        self._live: Live | None = None

    def open(self, title: str) -> None:
        """Begin to draw."""
        self._title = title
        self._live = Live(Text(title), console=self._console, auto_refresh=False)
        self._live.start()

    def status(self, status: Status) -> None:
        """Draw the state."""
        if self._live is not None:
            title = Text(self._title, style="dim", no_wrap=True, overflow="ellipsis")
            picture = Group(title, render(status, self._console.width))
            self._live.update(picture, refresh=True)

    def facts(self, facts: Sequence[Fact]) -> None:
        """Nothing: the table shows the last facts itself."""

    def close(self) -> None:
        """Leave the last picture."""
        if self._live is not None:
            self._live.stop()
            self._live = None


class LineScreen:
    """One line a fact, for logs and pipes."""

    wants_status = False
    wants_facts = True

    def open(self, title: str) -> None:
        """Print the title."""
        self._print(title)

    def status(self, status: Status) -> None:
        """Nothing: facts tell it."""

    def facts(self, facts: Sequence[Fact]) -> None:
        """Print each."""
        for fact in facts:
            self._print(fact_line(fact))

    def close(self) -> None:
        """Nothing to put in order."""

    def _print(self, line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


class SilentScreen:
    """Nothing, for `--json`."""

    wants_status = False
    wants_facts = False

    def open(self, title: str) -> None:
        """Nothing."""

    def status(self, status: Status) -> None:
        """Nothing."""

    def facts(self, facts: Sequence[Fact]) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""
