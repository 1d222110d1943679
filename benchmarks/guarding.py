"""The guard of a benchmark as a process: the product's own daemon, with a watcher beside it.

It is linked to the exchange's virtual time, prints one line when it guards, and another with what
its watcher has seen when a line, or the end, comes on its standard input.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks.soaking.health import Failures
from trailstop.clock import Clock
from trailstop.config import Config, load_config
from trailstop.daemon.process.bootstrap import Daemon
from trailstop.observe.log import LogSettings, configure
from trailstop.storage.store import Store
from trailstop.timelink import run_linked

ERRORS_TOLD = 40


class Watcher(Protocol):
    """Looks at the process again and again."""

    async def run(self) -> None:
        """Look for ever."""
        ...

    def told(self) -> dict[str, Any]:
        """What it has seen."""
        ...


def main(arguments: Sequence[str], watch: Callable[[Config, Clock], Watcher]) -> int:
    """Guard until told to end; the argument is the settings' file."""
    config = load_config(Path(arguments[0]), [], environ=os.environ)
    assert config.link is not None, "the exchange keeps the time"
    run_linked(lambda clock: _guard(config, clock, watch(config, clock)), *config.link)
    return 0


async def _guard(config: Config, clock: Clock, watcher: Watcher) -> None:
    configure(LogSettings(file=config.data_dir / "guard.log", console=False))
    failures = Failures(passing_on=True)
    loop = asyncio.get_running_loop()
    failures.listen(loop)
    stopping = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), stopping.set)
    store = Store.open(config.database_url, mode=config.mode, now_ms=clock.wall_ms())
    watching = asyncio.create_task(watcher.run())
    _say({"ready": True, "pid": os.getpid()})
    try:
        await Daemon(config, store, clock).run(stopping)
    finally:
        loop.remove_reader(sys.stdin.fileno())
        watching.cancel()
        await store.close()
    _say(
        watcher.told()
        | {
            "unforeseen": failures.unforeseen,
            "unforeseen_first": failures.first,
            "log_levels": dict(failures.lines),
            "log_errors": dict(failures.errors.most_common(ERRORS_TOLD)),
        }
    )


def _say(row: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()
