"""Ending with the process that started this one."""

from __future__ import annotations

import os
import signal
import threading
from typing import Annotated, Final

import typer

STDIN: Final = 0

EndWithStdin = Annotated[
    bool,
    typer.Option("--end-with-stdin", hidden=True, help="End when standard input is closed."),
]


def end_with_stdin() -> None:
    """End this process, in order, once nobody holds its standard input open any more.

    The kernel closes it however the parent ends, by kill -9 too.
    """
    threading.Thread(target=_wait, name="parent", daemon=True).start()


def _wait() -> None:
    # The plain descriptor: a buffered reader's lock would disturb the interpreter's own end.
    while os.read(STDIN, 1):
        continue
    os.kill(os.getpid(), signal.SIGTERM)
