"""`pause`, `resume`, `tighten`, `close`, `ignore`: a person's wishes for one position."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from trailstop.commands.options import ConfigOption, SetOption, load

if TYPE_CHECKING:
    from pathlib import Path

    from trailstop.daemon.talk.client import DaemonClient
    from trailstop.daemon.talk.status import Action
    from trailstop.domain.position import Leg

LegArgument = Annotated[
    str,
    typer.Argument(
        metavar="LEG",
        help="SYMBOL, ACCOUNT/SYMBOL or ACCOUNT/VENUE/SYMBOL; in hedge mode with :long or :short.",
    ),
]
PriceArgument = Annotated[str, typer.Argument(metavar="PRICE", help="The new stop.")]


def pause(leg: LegArgument, config: ConfigOption = None, settings: SetOption = None) -> int:
    """Stop trailing one position; its live stop keeps resting.

    Example: trailstop pause BTCUSDT
    """
    return _ask("pause", leg, config, settings)


def resume(leg: LegArgument, config: ConfigOption = None, settings: SetOption = None) -> int:
    """Go on trailing a paused position.

    Example: trailstop resume BTCUSDT
    """
    return _ask("resume", leg, config, settings)


def tighten(
    leg: LegArgument,
    price: PriceArgument,
    config: ConfigOption = None,
    settings: SetOption = None,
) -> int:
    """Move the stop of one position nearer to the price; never farther away.

    Example: trailstop tighten main/BTCUSDT 61500
    """
    try:
        wanted = Decimal(price)
    except InvalidOperation:
        raise typer.BadParameter(f"{price} is no price") from None
    if not (wanted.is_finite() and wanted > 0):
        raise typer.BadParameter(f"a price is above 0, not {price}")
    return _ask("tighten", leg, config, settings, wanted)


def close(leg: LegArgument, config: ConfigOption = None, settings: SetOption = None) -> int:
    """Close one position at market, reduce-only.

    Example: trailstop close main/ETHUSDT
    """
    return _ask("close", leg, config, settings)


def ignore(leg: LegArgument, config: ConfigOption = None, settings: SetOption = None) -> int:
    """Stop guarding one position; it is listed as not guarded from then on.

    Example: trailstop ignore main/ETHUSDT
    """
    return _ask("ignore", leg, config, settings)


def _ask(
    action: Action,
    leg: str,
    config: Path | None,
    settings: list[str] | None,
    price: Decimal | None = None,
) -> int:
    from trailstop.daemon.talk.client import DaemonClient
    from trailstop.daemon.talk.status import ControlRequest

    client = DaemonClient(load(config, settings).data_dir)
    request = ControlRequest(action=action, leg=_find_leg(client, leg), price=price)
    typer.echo(client.control(request).text)
    return 0


def _find_leg(client: DaemonClient, text: str) -> Leg:
    """The one guarded leg that the text names. Raises: ControlRefused, ConfigError."""
    from trailstop.config import parse_leg
    from trailstop.daemon.talk.status import ControlRefused

    pattern = parse_leg(text)
    legs = [one.leg for one in client.status().legs]
    fitting = [leg for leg in legs if pattern.fits(leg)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(str(leg) for leg in fitting)
        raise ControlRefused(f"{text} may be any of {names}; write one of these")
    known = ", ".join(str(leg) for leg in legs) or "none"
    raise ControlRefused(f"no guarded position is called {text}; there are: {known}")
