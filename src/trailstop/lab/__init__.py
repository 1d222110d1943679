"""The trailing rule on history: backtest, sweep, optimise, forecast, replay, what if.

`from trailstop.lab import backtest, Bars, Costs, FillRule, every` is all that a first backtest
needs. Names are loaded when they are asked for, so that nobody waits for compiled code, charts
or optimisers that they do not use.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trailstop.lab.backtest import backtest
    from trailstop.lab.data import Entry, History, read_history
    from trailstop.lab.entries import Entries, every
    from trailstop.lab.forecast import Forecast, forecast
    from trailstop.lab.optimise import Study, optimise
    from trailstop.lab.series import Bars, Funding, Quotes, Trades
    from trailstop.lab.sweep import Grid, sweep
    from trailstop.lab.terms import NO_COSTS, Costs, ExitCause, FillRule
    from trailstop.lab.trades import Exits, Result, StopMove, Trade

__all__ = [
    "NO_COSTS",
    "Bars",
    "Costs",
    "Entries",
    "Entry",
    "ExitCause",
    "Exits",
    "FillRule",
    "Forecast",
    "Funding",
    "Grid",
    "History",
    "Quotes",
    "Result",
    "StopMove",
    "Study",
    "Trade",
    "Trades",
    "backtest",
    "every",
    "forecast",
    "optimise",
    "read_history",
    "sweep",
]

_HOMES = {
    "backtest": "backtest",
    "Entry": "data",
    "History": "data",
    "read_history": "data",
    "Entries": "entries",
    "every": "entries",
    "Forecast": "forecast",
    "forecast": "forecast",
    "Study": "optimise",
    "optimise": "optimise",
    "Bars": "series",
    "Funding": "series",
    "Quotes": "series",
    "Trades": "series",
    "Grid": "sweep",
    "sweep": "sweep",
    "NO_COSTS": "terms",
    "Costs": "terms",
    "ExitCause": "terms",
    "FillRule": "terms",
    "Exits": "trades",
    "Result": "trades",
    "StopMove": "trades",
    "Trade": "trades",
}


class _Front(ModuleType):
    """A package whose functions win over the modules of the same name that hold them."""

    def __setattr__(self, name: str, value: object) -> None:
        """Bind a name, but not a module that the import system would put in a function's place."""
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    """Load a public name from the module that holds it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


sys.modules[__name__].__class__ = _Front
