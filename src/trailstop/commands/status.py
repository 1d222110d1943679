"""`trailstop status`: what the running guard knows."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

from typing import Annotated

import typer

from trailstop.commands.options import ConfigOption, JsonOption, SetOption, load

UNPROTECTED = 6


def status(
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Exit 6 when a position is not known to have its stop."),
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it until Ctrl-C.")] = False,
) -> int:
    """Show the guarded positions, their stops and what is left out.

    Example: trailstop status --check && echo all protected
    """
    from trailstop.daemon.talk.client import DaemonClient

    client = DaemonClient(load(config, settings).data_dir)
    if watch:
        from trailstop.view.live import watch as keep_showing

        keep_showing(client)
    now = client.status()
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(now).decode())
    else:
        from trailstop.view.show import print_status

        print_status(now)
    if not check or not now.unprotected:
        return 0
    from trailstop.view.words import how_known

    names = ", ".join(f"{leg.leg} ({how_known(leg)})" for leg in now.unprotected)
    typer.echo(f"trailstop: no stop is known to rest for {names}", err=True)
    return UNPROTECTED
