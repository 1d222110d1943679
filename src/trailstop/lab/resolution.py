"""Whether bars are fine enough for a distance, or an assumed order of prices decides instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trailstop.domain.policy import HUNDRED, Absolute, Callback, Distance, Steps
from trailstop.lab.series import Bars

_SAMPLES = 256
"""Bars, spread over the whole span, that are looked at for the usual range.

A look at all of them would take longer than the kernel takes to find the exits.
"""


def coarseness(bars: Bars, distances: Sequence[Distance]) -> str | None:
    """A sentence where a usual bar spans more than some of these distances, else None.

    Distances that follow the bars themselves, or the gain, are left out.
    """
    if not len(bars):
        return None
    step = max(1, len(bars) // _SAMPLES)
    opens = bars.open[::step]
    span = _middle((bars.high[::step] - bars.low[::step]) / opens) * float(HUNDRED)
    price = _middle(opens * float(bars.unit))
    known = [_percent(distance, price) for distance in distances]
    narrow = [named for named in known if named is not None and named[1] < span]
    if not narrow:
        return None
    if len(distances) == 1:
        name, percent = narrow[0]
        told = f"the bars span {span:.2g} % while the {name} is {percent:.2g} %:"
    else:
        count = "one distance" if len(narrow) == 1 else f"{len(narrow)} distances"
        told = f"the bars span {span:.2g} %: for the {count} under that"
    return f"{told} the order of prices inside a bar decides most exits; give finer data or trades"


def _middle(values: NDArray[np.floating[Any]]) -> float:
    return float(np.sort(values)[len(values) // 2])


def _percent(distance: Distance, price: float) -> tuple[str, float] | None:
    match distance:
        case Callback(percent):
            return "callback", float(percent)
        case Steps(rungs):
            return "narrowest step", float(min(rung.callback_percent for rung in rungs))
        case Absolute(width):
            return "distance", float(width) * float(HUNDRED) / price
    return None
