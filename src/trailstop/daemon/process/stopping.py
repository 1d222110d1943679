"""Being asked to end: once in order, a second Ctrl-C at once. The stops stay either way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from types import FrameType

INTERRUPTED = 130
STDERR = 2
SHOW_CURSOR = "\x1b[?25h"
"""A live view may have hidden it and has no time left to show it again."""


def stop_on_signals(stopping: asyncio.Event) -> None:
    """Set the event on SIGTERM and Ctrl-C; a second Ctrl-C ends the process then and there.

    Nothing is lost by that: every write was recorded before it left.
    """
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        stopping.set()
        # From now on without the loop's help, which may be blocked or closed by then.
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, _end_at_once)

    with contextlib.suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, interrupt)
        loop.add_signal_handler(signal.SIGTERM, stopping.set)


def _end_at_once(_number: int, _frame: FrameType | None) -> None:
    cursor = SHOW_CURSOR if os.isatty(STDERR) else ""
    words = f"{cursor}trailstop: ended at once; the stops stay on the exchange\n"
    # Past sys.stderr, in whose midst this may come: it refuses a second writer.
    with contextlib.suppress(OSError):
        os.write(STDERR, words.encode())
    os._exit(INTERRUPTED)
