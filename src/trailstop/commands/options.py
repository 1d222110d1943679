"""Options that several commands share, and the configuration that they lead to."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from trailstop.config import Config

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings; else trailstop.toml, if it is here."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="One setting; may be repeated."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON; prices are strings.")]


def load(config: Path | None, settings: list[str] | None, *, need_accounts: bool = False) -> Config:
    """The configuration in force. Raises: ConfigError."""
    from trailstop.config import load_config

    return load_config(config, settings or (), environ=os.environ, need_accounts=need_accounts)
