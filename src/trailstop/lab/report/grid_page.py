"""A sweep as one page: heat maps of activation and distance, the best cells and their neighbours."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any, Final

import numpy as np

from trailstop.lab.report.document import warnings_of
from trailstop.lab.report.grid import (
    Cell,
    GridDocument,
    activation_name,
    distance_name,
    layers_of,
    other_name,
)
from trailstop.lab.report.page import facts, page, warnings_box, write_page
from trailstop.lab.report.words import (
    CAUSES,
    costs_words,
    engine_words,
    grid_words,
    moment,
    policy_words,
    positions_words,
)
from trailstop.lab.series import Float64
from trailstop.lab.sweep import Grid
from trailstop.lab.terms import ExitCause

REFUSED_SHOWN: Final = 5
PLACES: Final = 4
FIGURES: Final = (
    ("mean_percent", "mean result", True),
    ("sum_percent", "sum of results", True),
    ("win_percent", "above 0", False),
    ("worst_percent", "worst position", True),
    ("drawdown_percent", "deepest fall", False),
)
"""Name in the grid, name on the page, and whether its sign tells gain from loss."""
HEAT_MAP: Final = (
    '<div id="choices" class="controls"></div><div id="heat" class="chart"></div>'
    '<div id="cell"></div>'
)


def sweep_page(grid: Grid, told: GridDocument) -> str:
    """The page."""
    symbol = told.data.symbol
    body = "\n".join(
        (
            f"<header><h1>{escape(symbol)}: sweep</h1><p>{escape(_headline(told))}</p></header>",
            warnings_box(warnings_of(told.warnings, told.data, REFUSED_SHOWN)),
            f"<section><h2>Every combination</h2>{HEAT_MAP}</section>",
            '<section><h2>The best, and what surrounds them</h2><div id="best"></div></section>',
            f"<section><h2>What was tested</h2>{facts(_facts(told))}</section>",
        )
    )
    return page(f"{symbol} sweep", body, data=_data(grid, told), script="sweep.js")


def write_sweep_page(grid: Grid, told: GridDocument, file: Path) -> None:
    """Write the page. Raises: DataError where it cannot be written."""
    write_page(sweep_page(grid, told), file)


def _headline(told: GridDocument) -> str:
    text = f"{len(told.cells)} combinations, {positions_words(told.trades)} each, on {told.data.prices}"
    if told.data.first_ms is None or told.data.last_ms is None:
        return text
    return f"{text}, {moment(told.data.first_ms)} to {moment(told.data.last_ms)} UTC"


def _facts(told: GridDocument) -> list[tuple[str, str | list[str]]]:
    return [
        ("Settings in force", policy_words(told.policy)),
        ("Order of prices", told.rule_text),
        ("Costs", costs_words(told.costs)),
        ("To bear in mind", list(told.notes)),
        ("Decided by", engine_words("kernel")),
        ("Instrument", grid_words(told.instrument)),
        ("Data", list(told.data.files)),
    ]


def _data(grid: Grid, told: GridDocument) -> dict[str, Any]:
    layers = layers_of(grid)
    now = told.in_force
    return {
        "activation": [activation_name(grid, place) for place in range(len(grid.activation))],
        "distance": [distance_name(distance) for distance in grid.distance],
        "layers": [other_name(grid, *layer) for layer in layers],
        "metrics": [
            {
                "key": key,
                "name": name,
                "unit": "%",
                "signed": signed,
                "values": _flat(getattr(grid, key)),
            }
            for key, name, signed in FIGURES
        ],
        "causes": [
            {
                "name": CAUSES[ExitCause(name)],
                "counts": [int(count) for count in _by_layer(grid.causes[..., at])],
            }
            for at, name in enumerate(grid.cause_names)
        ],
        "best": [_place(cell, layers) for cell in told.best],
        "now": [] if now is None else [_place(now, layers)],
    }


def _place(cell: Cell, layers: list[tuple[int, int]]) -> dict[str, Any]:
    activation, distance, *other = cell.place
    return {
        "activation": activation,
        "distance": distance,
        "layer": layers.index((other[0], other[1])),
        "neighbours": cell.neighbours_percent,
        "island": cell.is_island,
    }


def _flat(values: Float64) -> list[float]:
    return [round(float(value), PLACES) for value in _by_layer(values)]


def _by_layer(values: Any) -> Any:
    """Layer by layer, then activation by activation, as the page's script reads it."""
    return np.transpose(values, (2, 3, 0, 1)).ravel()
