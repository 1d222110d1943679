"""The one connection: exclusive, durable, each transaction begun by hand.

SQLite is held exclusively by one process through one connection; a second one is turned away.
`locking_mode` comes before `journal_mode`, so that no shared-memory file is made:
https://www.sqlite.org/wal.html#use_of_wal_without_shared_memory
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from trailstop.errors import StoreDamaged, StoreError

LOCK_WAIT_S = 1.0
"""How long a lock of another process is waited for: one that is just ending goes by then."""

PRAGMAS = (
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
)

_ADVICE = {
    "database is locked": "another Trailstop uses {file}; stop it or choose another database",
    "unable to open database file": "{file} cannot be opened; check the folder and its rights",
    "readonly database": "{file} cannot be written; check its rights",
    "database or disk is full": "the disk of {file} is full; free some space",
    "disk I/O error": "the disk of {file} fails; check it, or choose another database",
}
_DAMAGE = {
    "file is not a database": "{file} is not a database; choose another file",
    "disk image is malformed": "{file} is damaged; restore its newest backup beside it",
    "malformed database schema": "{file} is damaged; restore its newest backup beside it",
    "unsupported file format": "{file} is damaged; restore its newest backup beside it",
}


def make_engine(url: str) -> tuple[Engine, str]:
    """An engine of one connection, and the file that it opens. Raises: StoreError."""
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            raise StoreError(f"{parsed.get_backend_name()} is not supported; use sqlite:///FILE")
        engine = create_engine(parsed, poolclass=StaticPool, connect_args={"timeout": LOCK_WAIT_S})
    except (ArgumentError, NoSuchModuleError) as error:
        raise StoreError("the database's address is no URL; write sqlite:///FILE") from error
    file = parsed.database or ":memory:"
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}; choose another folder") from error
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine, file


def explain(error: SQLAlchemyError, file: str) -> StoreError:
    """Put the database's error into one line that says what to do."""
    text = str(getattr(error, "orig", None) or error).partition("\n")[0]
    for words, advice in _DAMAGE.items():
        if words in text:
            return StoreDamaged(advice.format(file=file))
    for words, advice in _ADVICE.items():
        if words in text:
            return StoreError(advice.format(file=file))
    return StoreError(f"{file}: {text}; choose another database or restore a backup")


@contextmanager
def explained(file: str) -> Iterator[None]:
    """Raises: StoreError in place of whatever the database says."""
    try:
        yield
    except SQLAlchemyError as error:
        raise explain(error, file) from error
    except UnicodeDecodeError as error:
        # The driver cannot even spell what it found.
        raise StoreDamaged(f"{file} is damaged; restore its newest backup beside it") from error


def _on_connect(connection: sqlite3.Connection, _record: Any) -> None:
    # Python's driver would begin transactions only before some statements and leave tables
    # out of them; here each transaction is begun by hand and holds everything.
    connection.isolation_level = None
    # A damaged text is told apart by its sum; it must not keep its neighbours from being read.
    connection.text_factory = _decode
    with closing(connection.cursor()) as cursor:
        for pragma in PRAGMAS:
            cursor.execute(pragma)


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
