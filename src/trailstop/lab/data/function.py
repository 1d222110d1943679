"""A person's own Python function that says where positions open."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from trailstop.errors import ConfigError
from trailstop.lab.data.entries import entries_from
from trailstop.lab.entries import Entries
from trailstop.lab.series import Bars, Quotes, Trades

_FAULTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)
"""What goes wrong in a person's own code; anything else is not ours to explain."""


def entries_from_function(spec: str, series: Bars | Trades | Quotes) -> Entries:
    """The entries that `file.py:function` or `module:function` gives for the prices.

    It is called with the series and returns or yields `Entry` values. Raises ConfigError, one
    line with the place in that code, where it is not there or fails.
    """
    function = _function(spec)
    try:
        given = list(function(series))
    except _FAULTS as error:
        raise _told(spec, error) from error
    return entries_from(given, series, source=spec)


def _function(spec: str) -> Callable[[Any], Any]:
    name, colon, wanted = spec.rpartition(":")
    if not colon or not name or not wanted:
        raise ConfigError(f"{spec!r} is no function; write file.py:function or module:function")
    try:
        module = _file(Path(name)) if name.endswith(".py") else importlib.import_module(name)
    except _FAULTS as error:
        raise _told(spec, error) from error
    function = getattr(module, wanted, None)
    if not callable(function):
        raise ConfigError(f"{name} has no function {wanted}; check the name")
    return function  # type: ignore[no-any-return]


def _file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigError(f"{path}: there is no such file; check the path")
    name = f"trailstop_entries_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "a file that ends in .py has a loader"
    assert spec.loader is not None, "a file that ends in .py has a loader"
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and msgspec look their module up by its name.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _told(spec: str, error: BaseException) -> ConfigError:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.endswith(spec.rpartition(":")[0])]
    last = own[-1:]
    where = f", {Path(last[0].filename).name} line {last[0].lineno}" if last else ""
    return ConfigError(f"{spec}{where}: {type(error).__name__}: {error}; correct the function")
