"""Where the database's file lies, and whether it is still the one that was opened.

An open file may be deleted or replaced beneath its owner, who then writes on into what nobody
will ever find: https://www.sqlite.org/howtocorrupt.html (2.3, unlinking or renaming)
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from trailstop.errors import StoreDamaged, StoreMoved
from trailstop.storage.identity import IN_MEMORY

LOG_SUFFIX = "-wal"
PARTS = ("", LOG_SUFFIX, "-journal", "-shm")
"""What SQLite keeps beside each other under one name."""

Print = tuple[int, int]
"""Device and number of a file."""


class Place:
    """The files that one connection has opened, and as it left them."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._in_memory = file in IN_MEMORY
        self._main = _print(file)
        self._log = _print(f"{file}{LOG_SUFFIX}")
        self._written = _written(file)

    def leave(self) -> None:
        """Note how our own transaction left the file."""
        if not self._in_memory:
            self._written = _written(self._file)

    def check(self) -> None:
        """See that it is all as we left it. Raises: StoreMoved, StoreDamaged."""
        if self._in_memory:
            return
        log = f"{self._file}{LOG_SUFFIX}"
        self._log = self._log or _print(log)
        for what, known in ((self._file, self._main), (log, self._log)):
            found = _print(what)
            if known is not None and found != known:
                done = "was deleted" if found is None else "was replaced by another file"
                raise StoreMoved(f"{what} {done} while it was in use")
        if _written(self._file) != self._written:
            raise StoreDamaged(f"{self._file} was overwritten while it was in use")


def set_aside(file: str, why: str) -> str | None:
    """Rename a database's files under a name that says why; never deletes, never overwrites.

    Returns the new name, None where there was nothing. Raises: OSError.
    """
    names = (f"{file}.{why}-{number}" for number in itertools.count(1))
    aside = next(name for name in names if not _there(name))
    moved = False
    for part in PARTS:
        found = Path(f"{file}{part}")
        if found.exists():
            # The names still belong together, so that SQLite can read what there is.
            found.rename(f"{aside}{part}")
            moved = True
    return aside if moved else None


def sync_folder(file: str) -> None:
    """Have renames in the file's folder survive a power cut. Raises: OSError."""
    handle = os.open(Path(file).parent, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _there(name: str) -> bool:
    return any(Path(f"{name}{part}").exists() for part in PARTS)


def _print(file: str) -> Print | None:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _written(file: str) -> tuple[int, int] | None:
    try:
        found = Path(file).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
