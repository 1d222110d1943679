"""Whether the best cell stands alone: what only one exact setting earns is mostly chance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

import numpy as np
from msgspec import Struct

from trailstop.lab.series import Float64

FAR_WORSE: Final = 0.5
"""Neighbours that earn less than this share of the best one make it an island."""
NEAR: Final = (-1, 0, 1)


class Surroundings(Struct, frozen=True):
    """The best cell and its neighbours, a step along each axis and across.

    `at_edge` names the axes at whose end the best value stands.
    """

    best: float
    neighbours: int
    neighbours_mean: float
    is_island: bool
    at_edge: tuple[str, ...] = ()


def surroundings(means: Float64, place: Sequence[int], names: Sequence[str]) -> Surroundings:
    """Look at the neighbours of the best place; `means` has an axis for each of `names`."""
    around = []
    for step in product(NEAR, repeat=means.ndim):
        near = tuple(at + by for at, by in zip(place, step, strict=True))
        inside = all(0 <= at < size for at, size in zip(near, means.shape, strict=True))
        if inside and any(step):
            around.append(float(means[near]))
    best = float(means[tuple(place)])
    return compared(
        best,
        around,
        at_edge=tuple(
            name
            for name, at, size in zip(names, place, means.shape, strict=True)
            if size > 1 and at in (0, size - 1)
        ),
    )


def compared(
    best: float, around: Sequence[float], *, at_edge: tuple[str, ...] = ()
) -> Surroundings:
    """Judge a best result by those around it; one that earns nothing is no island."""
    mean = float(np.mean(around)) if around else best
    alone = bool(around) and best > 0 and mean < best * FAR_WORSE
    return Surroundings(best, len(around), mean, alone, at_edge)
