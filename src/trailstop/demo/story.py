"""One story: two processes are started, watched until the exchange says it is over, and ended."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from trailstop.config.config import Config
from trailstop.daemon.talk.client import DaemonClient
from trailstop.demo.children import Child, ChildFailed
from trailstop.demo.exchange import Control, PaperAddress
from trailstop.demo.guard import environment, user_config, write_settings
from trailstop.demo.report import make_result
from trailstop.demo.result import DemoResult
from trailstop.demo.screen import Screen
from trailstop.demo.settings import GENERATED_DURATION, GENERATED_SYMBOL, DemoSettings
from trailstop.errors import NotRunning

START_SECONDS: Final = 60.0
"""Reading large files of prices may take a while before the exchange is ready."""
STILL_SECONDS: Final = 60.0
"""Virtual time that has not moved for so long will not move again."""
LONGEST_STEP_SECONDS: Final = 30.0
"""Virtual time that a slow run may take in one step: a guard has timers every 5 s."""
POLL_SECONDS: Final = 0.25
UNBOUNDED_POLL_SECONDS: Final = 1.0
"""At speed 0 the guard has better things to do than to tell how it is."""


def play(settings: DemoSettings, screen: Screen, environ: Mapping[str, str]) -> DemoResult:
    """Play one story to its end.

    Raises: ConfigError before anything starts; ChildFailed when a process ends by itself.
    """
    config = user_config(settings, environ)
    with (
        _folder(keep=settings.keep) as folder,
        Child("paper exchange", paper_arguments(settings, config), folder) as paper,
    ):
        line = paper.first_line(START_SECONDS)
        try:
            address = msgspec.json.decode(line, type=PaperAddress)
        except msgspec.MsgspecError as error:
            raise ChildFailed(f"the paper exchange answered '{line}' ({error})") from None
        file = write_settings(settings, address, folder)
        arguments = ("run", "--quiet", "--config", str(file))
        with Child("guard", arguments, folder, environment(address, environ)) as guard:
            watched = _Watched(paper, guard, Control(address.control), DaemonClient(folder))
            screen.open(_title(settings, address))
            try:
                state = _follow(watched, screen, settings.speed)
            finally:
                screen.close()
            epochs = watched.daemon.epochs()
        return make_result(settings, state, address.now_us, epochs)


class _Watched:
    """The four ends that a running story is watched by."""

    def __init__(self, paper: Child, guard: Child, control: Control, daemon: DaemonClient) -> None:
        self.paper = paper
        self.guard = guard
        self.control = control
        self.daemon = daemon
        self.told = 0

    def check(self) -> None:
        """Raises: ChildFailed. The exchange first: its end is what ends the guard."""
        self.paper.check()
        self.guard.check()


def _follow(watched: _Watched, screen: Screen, speed: float) -> dict[str, Any]:
    """Show the story until it is over; return the exchange's last state."""
    pause_s = UNBOUNDED_POLL_SECONDS if speed == 0 else POLL_SECONDS
    still_s = STILL_SECONDS if speed == 0 else max(STILL_SECONDS, LONGEST_STEP_SECONDS / speed)
    moved_s, last_us = time.monotonic(), -1
    while True:
        time.sleep(pause_s)
        watched.check()
        state = watched.control.state()
        finished = bool(state["finished"])
        _show(watched, screen, last=finished)
        if finished:
            return state
        if state["now_us"] != last_us:
            moved_s, last_us = time.monotonic(), state["now_us"]
        elif time.monotonic() - moved_s > still_s:
            raise ChildFailed(
                f"virtual time has stood still for {still_s:.0f} s; the guard's last "
                f"words: {watched.guard.last_words()}"
            )


def _show(watched: _Watched, screen: Screen, *, last: bool) -> None:
    """Show what the guard tells; one that is still starting tells nothing yet."""
    try:
        if screen.wants_status:
            screen.status(watched.daemon.status())
        while screen.wants_facts:
            facts = watched.daemon.events(watched.told)
            screen.facts(facts)
            watched.told = max((fact.sequence for fact in facts), default=watched.told)
            if not facts or not last:
                break
    except NotRunning:
        watched.check()
        if last:
            raise


def paper_arguments(settings: DemoSettings, config: Config) -> list[str]:
    """How the paper exchange is started for this demo."""
    arguments = [
        "paper",
        *("--binance-port", "0", "--control-port", "0"),
        *("--speed", f"{settings.speed:g}", "--seed", str(settings.seed)),
        "--open",
        "--wait-for-guard",
    ]
    if "bybit" in settings.venues:
        arguments += ["--bybit-port", "0"]
    if settings.hedge:
        arguments.append("--hedge")
    for name in settings.accounts:
        arguments += ["--account", name]
    for path in settings.data:
        arguments += ["--data", str(path)]
    duration = settings.duration
    if not settings.data:
        arguments += ["--generate", str(settings.seed), "--symbol", GENERATED_SYMBOL]
        duration = duration or GENERATED_DURATION
    for name, value in (
        ("--from", settings.start),
        ("--for", duration),
        ("--every", settings.every),
        ("--faults", None if settings.faults is None else settings.faults.resolve()),
    ):
        if value is not None:
            arguments += [name, str(value)]
    for field in msgspec.structs.fields(type(config.paper)):
        value = getattr(config.paper, field.name)
        if value is not None and field.name != "link":
            arguments += ["--set", f"paper.{field.name}={value}"]
    return arguments


def _title(settings: DemoSettings, address: PaperAddress) -> str:
    """What is played, in one line."""
    speed = "as fast as it goes" if settings.speed == 0 else f"{settings.speed:g} ×"
    sources = ", ".join(address.sources)
    kind = "recorded prices" if settings.data else "generated prices"
    return f"Demo on {kind} ({sources}), {speed}; no real money"


@contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    """The guard's data folder, removed afterwards unless it is kept."""
    if keep:
        folder = Path(tempfile.mkdtemp(prefix="trailstop-demo-"))
        sys.stderr.write(f"trailstop: the guard's folder is kept: {folder}\n")
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="trailstop-demo-") as name:
        yield Path(name)
