"""A walk-forward on the terminal: a row a fold, what all tests came to, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from trailstop.lab.optimise.score import Score
from trailstop.lab.optimise.space import choice_words
from trailstop.lab.optimise.study import Study
from trailstop.lab.report.words import costs_words, moment
from trailstop.view.show import PLAIN_COLUMNS

DAY_LETTERS: Final = 10
"""Of a moment only the day is shown."""


def print_study(study: Study, console: Console | None = None) -> None:
    """Print the study on standard output."""
    shown = console or Console()
    if not shown.is_terminal:
        shown = Console(width=PLAIN_COLUMNS)
    shown.print(render_study(study))


def render_study(study: Study) -> RenderableType:
    """Folds, sums, verdict and warnings."""
    way = "every combination" if study.method == "grid" else "a search"
    trials = study.latest.trials
    return Group(
        Text.assemble(
            (", ".join(study.symbols), "bold"),
            f"  {way}, {trials} trials a window, {study.rule.value}, {costs_words(study.costs)}",
        ),
        Text(),
        _folds(study),
        Text(),
        _sums(study),
        Text(),
        *(Text(line, style="bold" if number == 0 else "") for number, line in _told(study.verdict)),
        *(Text(f"warning: {line}", style="bold yellow") for line in study.warnings),
    )


def _told(lines: Sequence[str]) -> list[tuple[int, str]]:
    """The verdict with the judgement first of all."""
    return list(enumerate((lines[3], *lines[:3], *lines[4:])))


def _folds(study: Study) -> Table:
    table = _table(("fold", "tested from", "until", "chosen in the window before"), text=4)
    for head in ("positions", "in sample", "out of sample", "default", "neighbours"):
        table.add_column(head, justify="right", no_wrap=True)
    for result in study.folds:
        around = result.chosen.surroundings
        table.add_row(
            str(result.fold.number),
            _day(result.fold.test_from_ms),
            _day(result.fold.until_ms),
            choice_words(result.chosen.choice),
            str(result.out_of_sample.trades),
            _percent(result.in_sample.mean_net_percent),
            _percent(result.out_of_sample.mean_net_percent),
            _percent(result.default_out.mean_net_percent),
            f"{_percent(around.neighbours_mean)}{' ISLAND' if around.is_island else ''}",
        )
    return table


def _sums(study: Study) -> Table:
    table = _table(("all folds",), text=1)
    for head in ("positions", "mean", "sum", "winners", "worst", "deepest fall"):
        table.add_column(head, justify="right", no_wrap=True)
    for name, score in (
        ("chosen, in sample", study.in_sample),
        ("chosen, OUT OF SAMPLE", study.out_of_sample),
        ("default, in sample", study.default_in),
        ("default, OUT OF SAMPLE", study.default_out),
    ):
        table.add_row(name, *_figures(score))
    return table


def _figures(score: Score) -> tuple[str, ...]:
    return (
        str(score.trades),
        _percent(score.mean_net_percent),
        f"{score.sum_net_percent:+.1f} %",
        f"{score.win_percent:.1f} %",
        f"{score.worst_net_percent:+.2f} %",
        f"{score.max_drawdown_percent:.1f} %",
    )


def _table(heads: Sequence[str], *, text: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(head, justify="left" if number < text else "right", overflow="fold")
    return table


def _day(at_ms: int) -> str:
    return moment(at_ms)[:DAY_LETTERS]


def _percent(value: float) -> str:
    return f"{value:+.3f} %"
