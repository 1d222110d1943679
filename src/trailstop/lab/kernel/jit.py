"""How the lab's loops are compiled, and where the machine code is kept between two runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba

Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")

CACHE_VARIABLE = "XDG_CACHE_HOME"
DIGEST_LETTERS = 16


# Numba's own types know neither its settings nor all of its options.
_config: Any = numba.config
_njit: Any = numba.njit


def compiled(function: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Compile a loop over whole numbers on its first call; it lets other threads run meanwhile.

    The code is kept in the user's cache folder where that can be written, never beside the source,
    which may be read-only. Nothing is divided by zero there, and nobody asks whether it is. Never
    compile one function for one thread and for many: numba would take the one from the cache
    for the other.
    """
    return _made(function, nogil=True)


def part(function: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """Compile a function that only compiled ones call: without the way in from Python."""
    return _made(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _made(function: Callable[Arguments, Answer], **options: bool) -> Callable[Arguments, Answer]:
    before, folder = _config.CACHE_DIR, _FOLDER
    if folder is not None:
        _config.CACHE_DIR = str(folder)
    try:
        made: Any = _njit(cache=folder is not None, error_model="numpy", **options)(function)
    finally:
        _config.CACHE_DIR = before
    return cast("Callable[Arguments, Answer]", made)


def _cache_folder() -> Path | None:
    """A folder for exactly these sources: numba looks at a function's own file alone."""
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    try:
        if os.environ.get("NUMBA_CACHE_DIR"):
            root = Path(os.environ["NUMBA_CACHE_DIR"])
        else:
            root = Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache") / "trailstop"
        folder = root / f"kernel-{digest.hexdigest()[:DIGEST_LETTERS]}"
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        # The folder cannot be written, or there is no home.
        return None
    return folder if os.access(folder, os.W_OK) else None


_FOLDER = _cache_folder()
