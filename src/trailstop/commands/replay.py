"""`trailstop replay`: a journal decided again, as it was set, or with other settings."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trailstop.commands.lab_options import ProgressOption, numbers, progress_bar
from trailstop.commands.options import JsonOption

if TYPE_CHECKING:
    from trailstop.domain.position import Leg
    from trailstop.lab.replay import Replayed
    from trailstop.lab.whatif import WhatIf
    from trailstop.storage.journals import Journal

DIFFERENT: Final = 1
ROWS_A_REFRESH: Final = 5_000

JournalArgument = Annotated[
    Path,
    typer.Argument(
        metavar="JOURNAL", help="Database of a guard, or a journal exported with --export."
    ),
]
LegsOption = Annotated[
    list[str] | None,
    typer.Option("--leg", metavar="LEG", help="Only this leg; may be repeated."),
]
ExportOption = Annotated[
    Path | None,
    typer.Option(
        "--export",
        metavar="FILE",
        help="Write the journal into a new file, .jsonl or .jsonl.gz, as well.",
    ),
]
WhatIfOption = Annotated[
    bool,
    typer.Option(
        "--what-if", help="Tell what other settings would have made of each closed position."
    ),
]
ActivationOption = Annotated[
    str | None,
    typer.Option(
        metavar="VALUES", help="With --what-if: activations in percent, 0.5:3.0:0.5 or 0.5,1,2."
    ),
]
DistanceOption = Annotated[
    str | None,
    typer.Option(metavar="VALUES", help="With --what-if: callbacks in percent, 0.2:2:0.2."),
]


def replay(
    journal: JournalArgument,
    *,
    legs: LegsOption = None,
    export: ExportOption = None,
    whatif: WhatIfOption = False,
    activation: ActivationOption = None,
    distance: DistanceOption = None,
    as_json: JsonOption = False,
    no_progress: ProgressOption = False,
) -> int:
    """Decide every recorded input again and report the first difference; exit 1 for one.

    The journal is only read, also that of a running guard. Exit 0 says that all of it was
    decided again and is identical. With --what-if nothing is compared.

    Example: trailstop replay "$(trailstop db path)"
    """
    from trailstop.config import parse_leg
    from trailstop.errors import DataError
    from trailstop.storage.journals import export_journal, open_journal

    if not whatif and (activation or distance):
        raise typer.BadParameter("--activation and --distance go with --what-if")
    patterns = [parse_leg(text) for text in legs or ()]

    def wanted(leg: Leg) -> bool:
        return not patterns or any(pattern.fits(leg) for pattern in patterns)

    with open_journal(journal) as opened:
        if export is not None:
            rows = export_journal(opened, export)
            typer.echo(f"wrote {rows} rows to {export}", err=True)
        if whatif:
            other = _what_if(opened, activation, distance, wanted, shown=not no_progress)
            return _tell_what_if(other, as_json=as_json)
        found = _again(opened, wanted, shown=not no_progress)
    if found.is_identical and not found.epochs:
        which = " on these legs" if legs else ""
        raise DataError(f"{journal} has no guarded position{which}; name another")
    typer.echo(json.dumps(as_facts(found)) if as_json else told(found))
    return 0 if found.is_identical else DIFFERENT


def told(found: Replayed) -> str:
    """What a replay found, for a person."""
    lines = [str(found.difference)] if found.difference is not None else []
    if found.different > 1:
        lines.append(f"{found.different} epochs differ; this is the first")
    for left in found.left_out:
        name = "" if left.leg is None else f"{left.leg}, epoch {left.epoch}: "
        lines.append(f"cannot be decided again: {name}{left.why}")
    counts = (
        f"{found.decisions} decisions ({found.inputs} inputs, {found.moves} moves, "
        f"{found.epochs} epochs)"
    )
    if found.is_identical:
        lines.append(f"identical: {counts}")
    else:
        lines.append(f"the rest agrees: {counts}; left out: {len(found.left_out)}")
    return "\n".join(lines)


def as_facts(found: Replayed) -> dict[str, Any]:
    """What a replay found, for a program."""
    import msgspec

    verdict = "incomplete" if found.difference is None else "different"
    facts: dict[str, Any] = msgspec.to_builtins(found)
    return {"verdict": "identical" if found.is_identical else verdict, **facts}


def _again(journal: Journal, wanted: Callable[[Leg], bool], *, shown: bool) -> Replayed:
    from trailstop.lab.replay import replay as decide_again

    with _rows_told(journal, "deciding again", shown=shown) as progress:
        return decide_again(journal, wanted=wanted, progress=progress)


def _what_if(
    journal: Journal,
    activation: str | None,
    distance: str | None,
    wanted: Callable[[Leg], bool],
    *,
    shown: bool,
) -> WhatIf:
    from trailstop.lab.whatif import ACTIVATIONS, CALLBACKS, grid, what_if

    settings = grid(
        numbers(activation, "--activation") if activation else ACTIVATIONS,
        numbers(distance, "--distance") if distance else CALLBACKS,
    )
    with _rows_told(journal, "judging positions", shown=shown) as progress:
        return what_if(journal, settings, wanted=wanted, progress=progress)


def _tell_what_if(found: WhatIf, *, as_json: bool) -> int:
    import msgspec

    from trailstop.view.whatif import print_what_if

    if not as_json:
        print_what_if(found)
        return 0
    facts: dict[str, Any] = msgspec.to_builtins(found)
    for row, trade in zip(facts["trades"], found.trades, strict=True):
        row["best"] = trade.best.setting
    typer.echo(json.dumps(facts))
    return 0


@contextmanager
def _rows_told(journal: Journal, title: str, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar on the terminal, where there is one and the journal says how long it is."""
    total = journal.newest
    with progress_bar(title, wanted=shown and total is not None) as tell:

        def show(row: int) -> None:
            if tell is not None and total is not None and row % ROWS_A_REFRESH == 0:
                tell(row, total)

        yield show
