"""What may happen to a guard's files and processes between one life and the next."""

# ruff: noqa: SLF001 - what happens to a guard happens beneath its public face
from __future__ import annotations

import asyncio
import copy
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.table import Table
from trailstop.storage.store import Store

PAGE = 4_096
Accident = Callable[[Table, Path], None]
"""What is done to a guard's data while it does not run; the path is yesterday's copy of it."""


def data_of(table: Table) -> Path:
    """The folder of everything that the guard keeps."""
    return table.folder / "data"


def database_of(table: Table) -> Path:
    """The guard's database file."""
    return data_of(table) / "trailstop-paper.db"


def restored(table: Table, yesterday: Path) -> None:
    """Yesterday's database comes back; what lies beside it is of today."""
    shutil.copy(yesterday / database_of(table).name, database_of(table))


def all_restored(table: Table, yesterday: Path) -> None:
    """The whole folder is yesterday's again."""
    shutil.rmtree(data_of(table))
    shutil.copytree(yesterday, data_of(table))


def deleted(table: Table, _yesterday: Path) -> None:
    """The database is gone."""
    database_of(table).unlink()


def truncated(table: Table, _yesterday: Path) -> None:
    """A power cut has left two thirds of the file."""
    content = database_of(table).read_bytes()
    database_of(table).write_bytes(content[: len(content) // PAGE * 2 // 3 * PAGE])


def no_trail_can_be_read(table: Table, _yesterday: Path) -> None:
    """A figure of each trail's live stop has changed by itself."""
    content = bytearray(database_of(table).read_bytes())
    begin = 0
    while (begin := content.find(b'"live_stop":"', begin) + 13) > 12:
        content[begin] = ord("8") if content[begin] != ord("8") else ord("7")
    database_of(table).write_bytes(content)


def second_guard(table: Table) -> Table:
    """Another installation on the same account, with a database of its own."""
    other = copy.copy(table)
    other.folder = table.folder / "other"
    other.folder.mkdir()
    other._running = None
    return other


async def kill(table: Table, until: Callable[[], None] = lambda: None) -> None:
    """End the guard at this instant: the next life has what is on the disk now, and no more."""
    data, kept = data_of(table), table.folder / "as-it-lay"
    shutil.copytree(data, kept)
    assert table._running is not None
    _, task = table._running
    table._running = None
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    until()
    await table.store.close()
    shutil.rmtree(data)
    kept.rename(data)


def fail_commits(store: Store, error: Callable[[], Exception]) -> Callable[[], None]:
    """Have every commit fail so; gives what ends that."""
    database = store._database
    transact = database.transact

    def failing(work: object) -> object:
        raise error()

    database.transact = failing

    def mend() -> None:
        database.transact = transact

    return mend
