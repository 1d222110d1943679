"""The live view: the table of positions, drawn anew while the guard runs."""

from __future__ import annotations

import threading
import time
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from trailstop.daemon.talk.client import DaemonClient
from trailstop.errors import NotRunning
from trailstop.view.table import render

REFRESH_SECONDS: Final = 0.25
JOIN_SECONDS: Final = 5.0
STARTING: Final = Text("Trailstop starts: reading accounts and open positions ...")


class LiveView:
    """Draws in a thread of its own, so that it never takes time from the guard's loop.

    It asks through the loopback socket like any other command.
    """

    def __init__(self, client: DaemonClient, console: Console | None = None) -> None:
        self._client = client
        self._console = console or Console()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._draw, name="view", daemon=True)

    def __enter__(self) -> LiveView:
        """Begin to draw."""
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Leave the last picture on the terminal."""
        self._stop.set()
        self._thread.join(JOIN_SECONDS)

    def _draw(self) -> None:
        picture: RenderableType = STARTING
        with Live(picture, console=self._console, auto_refresh=False) as live:
            while not self._stop.wait(REFRESH_SECONDS):
                try:
                    picture = render(self._client.status(), self._console.width)
                except NotRunning:
                    # It has not listened yet, or is about to end: the last picture stays.
                    continue
                live.update(picture, refresh=True)


def watch(client: DaemonClient, console: Console | None = None) -> None:
    """Draw a guard of another process until Ctrl-C. Raises: NotRunning once it has gone."""
    shown = console or Console()
    first = client.status()
    with Live(render(first, shown.width), console=shown, auto_refresh=False) as live:
        while True:
            live.update(render(client.status(), shown.width), refresh=True)
            time.sleep(REFRESH_SECONDS)
