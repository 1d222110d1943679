"""A walk-forward as one page that opens in any browser: both equities, folds and verdict."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final

from trailstop.lab.optimise.space import choice_words
from trailstop.lab.optimise.study import Study
from trailstop.lab.report.page import facts, page, warnings_box, write_page
from trailstop.lab.report.words import costs_words, policy_words

POINTS_MOST: Final = 2_000
"""Points of a curve that a screen can tell apart."""


def write_study_page(study: Study, file: Path) -> None:
    """Write the page. Raises: DataError where it cannot be written."""
    write_page(study_page(study), file)


def study_page(study: Study) -> str:
    """The page."""
    symbols = ", ".join(study.symbols)
    lines = "".join(f"<li>{escape(line)}</li>" for line in study.verdict)
    rows: list[tuple[str, str | list[str]]] = [
        ("Symbols", symbols),
        ("Default", policy_words(study.policy)),
        ("Tried", [f"{axis.name}: {len(axis.values)} values" for axis in study.space.axes]),
        ("Trials a window", str(study.latest.trials)),
        ("Inside a bar", study.rule.value),
        ("Costs", costs_words(study.costs)),
    ]
    body = "\n".join(
        (
            f"<header><h1>{escape(symbols)}: walk-forward</h1>",
            "<p>Chosen in one window, judged in the one after it.</p></header>",
            warnings_box(study.warnings),
            f"<section><h2>Verdict</h2><ul>{lines}</ul></section>",
            "<section><h2>Sum of the results out of sample</h2>",
            '<div id="equity" class="chart"></div></section>',
            '<section><h2>Folds</h2><div id="folds" class="scroll"></div></section>',
            '<section><h2>All folds</h2><div id="sums" class="scroll"></div></section>',
            f"<section><h2>What was tried</h2>{facts(rows)}</section>",
        )
    )
    data = {
        "equity": _thinned(study),
        "folds": [
            {
                "number": result.fold.number,
                "from_ms": result.fold.test_from_ms,
                "until_ms": result.fold.until_ms,
                "choice": choice_words(result.chosen.choice),
                "in_sample": result.in_sample,
                "out_of_sample": result.out_of_sample,
                "default_out": result.default_out,
                "surroundings": result.chosen.surroundings,
            }
            for result in study.folds
        ],
        "sums": [
            ("chosen, in sample", study.in_sample),
            ("chosen, out of sample", study.out_of_sample),
            ("default, in sample", study.default_in),
            ("default, out of sample", study.default_out),
        ],
    }
    return page(f"{symbols} walk-forward", body, data=data, script="optimise.js")


def _thinned(study: Study) -> list[tuple[int, float, float]]:
    """Some points of the curves, the last one among them."""
    points = study.equity
    every = -(-len(points) // POINTS_MOST) or 1
    kept = [*points[::every], *points[-1:]]
    return [(point.at_ms, point.chosen, point.default) for point in kept]
