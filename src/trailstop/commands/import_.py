"""`trailstop import`: settings of other programs as a policy."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from trailstop.commands.options import JsonOption

app = typer.Typer(
    help="Turn the settings of other programs into a policy.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _root() -> None:
    """Turn the settings of other programs into a policy."""


@app.command()
def freqtrade(
    config: Annotated[
        list[Path],
        typer.Argument(
            metavar="CONFIG...",
            help="config.json of freqtrade, or a strategy's settings as JSON; later files count "
            "before earlier ones.",
        ),
    ],
    leverage: Annotated[
        str | None,
        typer.Option(
            "--leverage", metavar="NUMBER", help="What the strategy's leverage method answers."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Print the policy that comes nearest to freqtrade's stop, and what it does not carry.

    Example: trailstop import freqtrade config.json --leverage 3 > trailstop.toml
    """
    import msgspec

    from trailstop.lab.peers.freqtrade.importing import import_settings
    from trailstop.lab.peers.freqtrade.reading import read_settings
    from trailstop.lab.peers.freqtrade.writing import as_document, as_toml

    imported = import_settings(read_settings(config), leverage=_leverage(leverage))
    if as_json:
        typer.echo(msgspec.json.encode(as_document(imported)).decode())
    else:
        typer.echo(as_toml(imported, ", ".join(file.name for file in config)), nl=False)
    return 0


def _leverage(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise typer.BadParameter(f"leverage must be a number, not {text!r}")
    return number
