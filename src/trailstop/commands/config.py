"""`trailstop config`: what is set, whether it is right, and a file to begin with."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trailstop.commands.options import ConfigOption, JsonOption, SetOption, load

app = typer.Typer(
    help="Show, check or begin the configuration.", no_args_is_help=True, rich_markup_mode=None
)
DEFAULT_FILE = Path("trailstop.toml")


@app.command()
def show(
    config: ConfigOption = None, settings: SetOption = None, as_json: JsonOption = False
) -> int:
    """Print every setting in force and where it comes from; secrets are masked.

    Example: TRAILSTOP__POLICY__CALLBACK_PERCENT=0.4 trailstop config show
    """
    import msgspec

    from trailstop.config.show import in_force

    rows = in_force(load(config, settings))
    if as_json:
        typer.echo(msgspec.json.encode(rows).decode())
        return 0
    width = max(len(f"{row.key} = {row.value}") for row in rows)
    for row in rows:
        typer.echo(f"{f'{row.key} = {row.value}'.ljust(width)}  # {row.source}")
    return 0


@app.command("list")
def list_settings() -> int:
    """Print every setting there is with its default and meaning, as a Markdown table.

    Example: trailstop config list
    """
    from trailstop.config.show import settings_table

    typer.echo(settings_table(), nl=False)
    return 0


@app.command()
def check(config: ConfigOption = None, settings: SetOption = None) -> int:
    """Check the whole configuration, keys included, without starting anything.

    Example: trailstop config check --config trailstop.toml
    """
    checked = load(config, settings, need_accounts=True)
    names = ", ".join(account.name for account in checked.accounts)
    typer.echo(f"the configuration is right: mode {checked.mode}, accounts {names}")
    return 0


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = DEFAULT_FILE,
) -> int:
    """Write a commented file with every setting at its default; never over an existing one.

    Example: trailstop config init trailstop.toml
    """
    from trailstop.config.show import example_file
    from trailstop.errors import ConfigError

    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(example_file())
    except FileExistsError:
        raise ConfigError(f"{file} exists already; name another file, or remove it") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be written ({error.strerror})") from None
    typer.echo(f"wrote {file}; keys go into the environment, see [accounts] in it")
    return 0
