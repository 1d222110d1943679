"""`trailstop demo`: one story, or one after the other until Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType
from typing import Final, NoReturn

import msgspec
from rich.console import Console

from trailstop.demo.screen import LineScreen, LiveScreen, Screen, SilentScreen
from trailstop.demo.settings import DemoSettings
from trailstop.demo.story import play
from trailstop.demo.summary import print_summary

PLAIN_COLUMNS: Final = 120
"""Width of the summary where there is no terminal to ask."""
PAUSE_SECONDS: Final = 3.0
TERMINATED: Final = 143


def run_demo(settings: DemoSettings) -> int:
    """Play until the end, and print the summary or the one JSON object; 0 when it was played.

    Raises: ConfigError, ChildFailed and what the ends of the two processes raise.
    """
    # The two processes are ended in their order also when the demo itself is asked to end.
    signal.signal(signal.SIGTERM, _terminate)
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_COLUMNS)
    while True:
        began_s = time.monotonic()
        result = play(settings, _screen(settings, console), os.environ)
        if settings.as_json:
            sys.stdout.write(f"{msgspec.json.encode(result).decode()}\n")
            return 0
        print_summary(result, console)
        console.print(f"it took {time.monotonic() - began_s:.0f} s", style="dim")
        if settings.once:
            return 0
        console.print("the next story begins in a moment; Ctrl-C ends the demo", style="dim")
        time.sleep(PAUSE_SECONDS)
        settings = msgspec.structs.replace(settings, seed=settings.seed + 1)


def _screen(settings: DemoSettings, console: Console) -> Screen:
    if settings.as_json:
        return SilentScreen()
    return LiveScreen(console) if console.is_terminal else LineScreen()


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(TERMINATED)
