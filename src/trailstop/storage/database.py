"""Opening the one connection: the lock, the migrations, the mode.

SQLite is held exclusively by one process through one connection; a second one is turned
away. `locking_mode` comes before `journal_mode`, so that no shared-memory file is made:
https://www.sqlite.org/wal.html#use_of_wal_without_shared_memory
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    insert,
    inspect,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from trailstop.domain.position import Leg
from trailstop.errors import StoreError
from trailstop.storage.read import open_epochs
from trailstop.storage.tables import meta, metadata, users

T = TypeVar("T")

LOCK_WAIT_S = 1.0
"""How long a lock of another process is waited for: one that is just ending goes by then."""

INSTALLATION_BYTES = 4
"""Random bytes of the installation's tag, two characters each."""

DEFAULT_USER = "default"
MIGRATIONS = "trailstop.storage:migrations"

PRAGMAS = (
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
)

_ADVICE = {
    "database is locked": "another Trailstop uses {file}; stop it or choose another database",
    "file is not a database": "{file} is not a database; choose another file",
    "disk image is malformed": "{file} is damaged; restore its newest backup beside it",
    "unable to open database file": "{file} cannot be opened; check the folder and its rights",
    "readonly database": "{file} cannot be written; check its rights",
    "database or disk is full": "the disk of {file} is full; free some space",
    "disk I/O error": "the disk of {file} fails; check it, or choose another database",
}


class Database:
    """An open, current database of the right mode."""

    def __init__(self, engine: Engine, file: str) -> None:
        self.engine = engine
        self.file = file
        self.installation = ""
        self.open_epochs: tuple[tuple[Leg, int], ...] = ()

    @classmethod
    def open(cls, url: str, mode: str, now_ms: int) -> Database:
        """Open, lock, migrate and check. Raises: StoreError."""
        engine, file = _engine(url)
        database = cls(engine, file)
        try:
            _back_up(engine, file, now_ms)
            database.prepare(mode, now_ms)
        except BaseException:
            engine.dispose()
            raise
        return database

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Read or write in one transaction. Raises: StoreError; nothing is then written."""
        try:
            with self.engine.begin() as connection:
                return work(connection)
        except SQLAlchemyError as error:
            raise explain(error, self.file) from error

    def close(self) -> None:
        """Give the file free."""
        self.engine.dispose()

    def prepare(self, mode: str, now_ms: int) -> None:
        """Bring the tables up to date, all or nothing, and see that they serve this mode."""
        self.transact(lambda connection: self._prepare(connection, mode, now_ms))

    def _prepare(self, connection: Connection, mode: str, now_ms: int) -> None:
        command.upgrade(_alembic(connection), "head")
        values = {row.key: row.value for row in connection.execute(select(meta))}
        if not values:
            values = {"installation": secrets.token_hex(INSTALLATION_BYTES), "mode": mode}
            connection.execute(insert(meta), [{"key": k, "value": v} for k, v in values.items()])
            connection.execute(insert(users).values(name=DEFAULT_USER, created_at=now_ms))
        if values["mode"] != mode:
            raise StoreError(
                f"{self.file} belongs to mode {values['mode']}, not {mode}; "
                "choose another database for this mode"
            )
        self.installation = values["installation"]
        self.open_epochs = open_epochs(connection)


def explain(error: SQLAlchemyError, file: str) -> StoreError:
    """Put the database's error into one line that says what to do."""
    text = str(getattr(error, "orig", None) or error).partition("\n")[0]
    for words, advice in _ADVICE.items():
        if words in text:
            return StoreError(advice.format(file=file))
    return StoreError(f"{file}: {text}; choose another database or restore a backup")


def _engine(url: str) -> tuple[Engine, str]:
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


def _on_connect(connection: sqlite3.Connection, _record: Any) -> None:
    # Python's driver would begin transactions only before some statements and leave tables
    # out of them; here each transaction is begun by hand and holds everything.
    connection.isolation_level = None
    with closing(connection.cursor()) as cursor:
        for pragma in PRAGMAS:
            cursor.execute(pragma)


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _back_up(engine: Engine, file: str, now_ms: int) -> None:
    """Copy a database that is about to be changed; refuse one that is not ours to change."""
    try:
        with engine.begin() as connection:
            tables = set(inspect(connection).get_table_names())
            revision = MigrationContext.configure(connection).get_current_revision()
            scripts = ScriptDirectory.from_config(_alembic(connection))
        if not tables or revision == scripts.get_current_head():
            return
        if revision is None or not tables & set(metadata.tables):
            raise StoreError(f"{file} is a database of another program; choose another file")
        if revision not in {script.revision for script in scripts.walk_revisions()}:
            raise StoreError(f"{file} was written by a newer Trailstop; update this one")
        raw = engine.raw_connection()
        try:
            with closing(sqlite3.connect(f"{file}.backup-{revision}-{now_ms}")) as copy:
                source = raw.driver_connection
                assert isinstance(source, sqlite3.Connection)
                source.backup(copy)
        finally:
            raw.close()
    except SQLAlchemyError as error:
        raise explain(error, file) from error
    except sqlite3.Error as error:
        raise StoreError(f"{file}: no backup before the upgrade: {error}") from error
