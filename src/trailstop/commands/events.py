"""`trailstop events`: the journal's facts, one a line."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

import time
from typing import Annotated

import typer

from trailstop.commands.options import ConfigOption, JsonOption, SetOption, load

FOLLOW_SECONDS = 0.5


def events(
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Wait for more until Ctrl-C.")
    ] = False,
    after: Annotated[
        int, typer.Option("--after", help="Leave out facts up to this sequence.", min=0)
    ] = 0,
) -> int:
    """Tell what has happened: adoptions, moves with their reasons, holds, endings, alarms.

    Example: trailstop events --follow --json
    """
    import msgspec

    from trailstop.daemon.talk.client import DaemonClient
    from trailstop.view.words import fact_line

    client = DaemonClient(load(config, settings).data_dir)
    while True:
        batch = client.events(after)
        for fact in batch:
            typer.echo(msgspec.json.encode(fact).decode() if as_json else fact_line(fact))
            after = max(after, fact.sequence)
        if batch:
            continue
        if not follow:
            return 0
        time.sleep(FOLLOW_SECONDS)
