"""The command line: `trailstop COMMAND`.

Exit statuses are a contract:
0 done, 1 failed, 2 usage, 3 configuration or credentials, 4 daemon not running, 5 exchange
unreachable, 6 an unprotected position exists (`status --check`), 130 interrupted.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Sequence
from typing import Final

import typer

from trailstop.commands import (
    backtest,
    config,
    control,
    db,
    demo,
    events,
    forecast,
    import_,
    optimise,
    paper,
    replay,
    run,
    status,
    sweep,
)
from trailstop.daemon.talk.status import VERSION
from trailstop.errors import (
    BadCredentials,
    ConfigError,
    LinkLost,
    NotRunning,
    TrailstopError,
    Unreachable,
)

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
CONFIGURATION: Final = 3
NOT_RUNNING: Final = 4
UNREACHABLE: Final = 5
INTERRUPTED: Final = 130
HELP_BEGINS: Final = "Usage:"
LAB_LIBRARIES: Final = ("numba", "numpy", "optuna", "plotly", "polars")
"""What only the lab imports; who installed the guard alone does not have them."""

STATUS_OF: Final[tuple[tuple[tuple[type[TrailstopError], ...], int], ...]] = (
    ((ConfigError, BadCredentials), CONFIGURATION),
    ((NotRunning,), NOT_RUNNING),
    ((Unreachable, LinkLost), UNREACHABLE),
    ((TrailstopError,), FAILED),
)

app = typer.Typer(
    name="trailstop",
    help="Guard open positions: a reduce-only stop rests on the exchange, then trails the price.",
    epilog="Begin with: trailstop demo --once",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"trailstop {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    _version: bool = typer.Option(
        False, "--version", help="Print the version.", is_eager=True, callback=_print_version
    ),
) -> None:
    """Guard open positions: a reduce-only stop rests on the exchange, then trails the price."""


app.command("demo")(demo.demo)
app.command("run")(run.run)
app.command("paper")(paper.paper)
app.command("status")(status.status)
app.command("events")(events.events)
app.command("pause")(control.pause)
app.command("resume")(control.resume)
app.command("tighten")(control.tighten)
app.command("close")(control.close)
app.command("ignore")(control.ignore)
app.command("backtest")(backtest.backtest)
app.command("sweep")(sweep.sweep)
app.command("optimise")(optimise.optimise)
app.command("forecast")(forecast.forecast)
app.command("replay")(replay.replay)
app.add_typer(import_.app, name="import")
app.add_typer(config.app, name="config")
app.add_typer(db.app, name="db")


def _explain_usage(error: typer.TyperException) -> int:
    """One line for a wrong option or argument, and where to look."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "trailstop"
    said = str(getattr(error, "format_message", error.__str__)())
    if said.startswith(HELP_BEGINS):
        # No command at all: the whole help is the answer.
        typer.echo(said, err=True)
        return USAGE
    text = " ".join(said.split())
    typer.echo(f"trailstop: {text.rstrip('.')}; see {command} --help", err=True)
    return USAGE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; errors are one line on standard error."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a sign shows a question mark instead of ending the program.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        answer = app(args=arguments, standalone_mode=False, prog_name="trailstop")
    except typer.TyperException as error:
        return _explain_usage(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Who reads has seen enough (`trailstop events | head`); Python's own last flush
        # would complain again.
        with contextlib.suppress(OSError):
            sys.stdout.close()
        return DONE
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in LAB_LIBRARIES:
            raise
        text = f"{error.name} is not installed, which the lab needs: pip install 'trailstop[lab]'"
        typer.echo(f"trailstop: {text}", err=True)
        return FAILED
    except TrailstopError as error:
        typer.echo(f"trailstop: {error}", err=True)
        return next(status for kinds, status in STATUS_OF if isinstance(error, kinds))
    return answer if isinstance(answer, int) else DONE
