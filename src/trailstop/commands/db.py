"""`trailstop db`: the database file of a guard that is not running."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from trailstop.commands.options import ConfigOption, JsonOption, SetOption, load

if TYPE_CHECKING:
    import sqlite3

app = typer.Typer(
    help="Look at, check or copy the database.", no_args_is_help=True, rich_markup_mode=None
)
COUNTED: Final = ("active_positions", "stop_moves", "intents", "journal")
SOUND: Final = "ok"


@app.command()
def path(config: ConfigOption = None, settings: SetOption = None) -> int:
    """Print where the database lies.

    Example: ls -l "$(trailstop db path)"
    """
    typer.echo(str(load(config, settings).database))
    return 0


@app.command()
def info(
    config: ConfigOption = None, settings: SetOption = None, as_json: JsonOption = False
) -> int:
    """Print what the database holds: mode, schema, size and rows.

    Example: trailstop db info
    """
    import json

    file = load(config, settings).database
    with _opened(file) as database:
        names = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
        facts: dict[str, str | int] = {"file": str(file), "bytes": file.stat().st_size}
        if "meta" in names:
            facts |= dict(database.execute("SELECT key, value FROM meta ORDER BY key"))
        for table in COUNTED:
            if table in names:
                # The table's name is one of our own constants.
                (facts[table],) = database.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
    if as_json:
        typer.echo(json.dumps(facts))
        return 0
    for name, value in facts.items():
        typer.echo(f"{name}: {value}")
    return 0


@app.command()
def check(config: ConfigOption = None, settings: SetOption = None) -> int:
    """Check the database file; exit 1 when it is damaged.

    Example: trailstop db check
    """
    from trailstop.errors import StoreError

    file = load(config, settings).database
    with _opened(file) as database:
        (verdict,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != SOUND:
        raise StoreError(f"{file} is damaged ({verdict}); go back to a backup of it")
    typer.echo(f"{file} is sound")
    return 0


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="File to write; must not exist yet.")],
    config: ConfigOption = None,
    settings: SetOption = None,
) -> int:
    """Copy the database into one file.

    Example: trailstop db backup trailstop-backup.db
    """
    import sqlite3

    from trailstop.errors import StoreError

    if target.exists():
        raise StoreError(f"{target} exists already; name another file")
    file = load(config, settings).database
    with _opened(file) as database:
        try:
            with contextlib.closing(sqlite3.connect(target)) as copy:
                database.backup(copy)
        except sqlite3.Error as error:
            raise StoreError(f"{target} cannot be written ({error})") from None
    typer.echo(f"wrote {target}")
    return 0


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """The one connection to the file; SQLite takes it only while no guard runs."""
    import sqlite3

    from trailstop.errors import StoreError

    if not file.is_file():
        raise StoreError(f"there is no database at {file}; trailstop run makes one")
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=0)) as database:
            # A second connection to a database in this mode could damage it.
            database.execute("PRAGMA locking_mode=EXCLUSIVE")
            database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            yield database
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise StoreError(f"a running Trailstop uses {file}; stop it first") from None
        raise StoreError(f"{file} cannot be read ({error})") from None
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{file} is no sound database ({error})") from None
