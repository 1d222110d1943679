"""`trailstop run`: the guard itself."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from trailstop.commands.options import ConfigOption, SetOption, load
from trailstop.commands.parent import EndWithStdin, end_with_stdin

if TYPE_CHECKING:
    from trailstop.config import Config
    from trailstop.observe.log import LogSettings

LOG_NAME = "trailstop.log"


def run(
    config: ConfigOption = None,
    settings: SetOption = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Log lines instead of the live view.")
    ] = False,
    watched: EndWithStdin = False,
) -> int:
    """Guard positions until Ctrl-C; the stops stay on the exchange.

    On a terminal it shows a live view and logs to a file, elsewhere it logs one line a fact.

    Example: trailstop run --config trailstop.toml --set policy.callback_percent=0.4
    """
    if watched:
        end_with_stdin()
    in_force = load(config, settings, need_accounts=True)
    from trailstop.daemon.process import bootstrap

    live = sys.stdout.isatty() and not quiet
    log = log_settings(in_force, live=live)
    if not live:
        return bootstrap.run(in_force, log=log)
    from trailstop.daemon.talk.client import DaemonClient
    from trailstop.view.live import LiveView

    with LiveView(DaemonClient(in_force.data_dir)):
        return bootstrap.run(in_force, log=log)


def log_settings(config: Config, *, live: bool) -> LogSettings:
    """Where this run logs to: beside a live view, into a file alone."""
    from pathlib import Path

    from trailstop.observe.log import LogSettings

    general = config.general
    file = None if general.log_file is None else Path(general.log_file).expanduser()
    if live and file is None:
        file = config.data_dir / LOG_NAME
    return LogSettings(
        level=general.log_level,
        format=general.log_format,
        file=file,
        file_max_mb=general.log_max_mb,
        files=general.log_files,
        console=not live,
    )
