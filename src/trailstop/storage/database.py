"""The open database: the lock, the migrations, the mode, and what becomes of a damaged file.

A file that cannot be trusted is renamed, never deleted, and a new one takes its place under the
same identity: whoever sleeps wants the positions guarded.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec import Struct
from sqlalchemy import Connection, Engine, func, insert, inspect, select

from trailstop.domain.position import Leg
from trailstop.errors import StoreDamaged, StoreError, StoreMoved
from trailstop.storage.checksum import checksum, is_sound
from trailstop.storage.connection import explained, make_engine
from trailstop.storage.identity import IN_MEMORY, Identity, read_identity, write_identity
from trailstop.storage.place import Place, set_aside, sync_folder
from trailstop.storage.read import open_epochs
from trailstop.storage.tables import journal, meta, metadata, users

T = TypeVar("T")

INSTALLATION_BYTES = 4
"""Random bytes of the installation's tag, two characters each."""

DEFAULT_USER = "default"
MIGRATIONS = "trailstop.storage:migrations"
SOUND = "ok"
CHECK = "check"
"""Key of the sum over what says whose database this is."""
DAMAGED, REPLACED = "damaged", "replaced"

_log = structlog.get_logger("trailstop.store")


class Finding(Struct, frozen=True):
    """Something about the file that a person must know; `code` is the alarm's stable name."""

    code: str
    text: str


class Renewal(Struct, frozen=True):
    """A new file in the place of another one; an empty one has to be written first."""

    finding: Finding
    is_empty: bool


class Database:
    """An open, current database of the right mode."""

    def __init__(self, url: str, mode: str) -> None:
        self._url = url
        self._mode = mode
        self._engine: Engine
        self._engine, self.file = make_engine(url)
        self._place = Place(self.file)
        self.installation = ""
        self.open_epochs: tuple[tuple[Leg, int], ...] = ()
        self._renewal: Renewal | None = None
        self.findings: list[Finding] = []
        """What was found at the start, for whoever tells people."""

    @classmethod
    def open(cls, url: str, mode: str, now_ms: int) -> Database:
        """Open, lock, migrate and check. Raises: StoreError.

        A damaged file is only put aside where its identity says that it is ours.
        """
        database = cls(url, mode)
        known = read_identity(database.file)
        try:
            database._open(known, now_ms)
        except StoreDamaged as error:
            if known is None:
                raise
            database._begin_anew(known, now_ms, str(error))
        database.write_identity()
        return database

    def transact(self, work: Callable[[Connection], T]) -> T:
        """Read or write in one transaction. Raises: StoreError; nothing is then written."""
        self._place.check()
        with explained(self.file), self._engine.begin() as connection:
            answer = work(connection)
        self._place.leave()
        return answer

    def renew(self, error: StoreDamaged, now_ms: int) -> Renewal:
        """Let a new file take the place of the one that failed so. Raises: StoreError.

        What is open but has lost its name is copied with all it holds; else the new file is
        empty. May be called again until `renewed` says that it has been written.
        """
        if self._renewal is None:
            self._renewal = self._make_room(error)
        self._engine.dispose()
        self._engine, _ = make_engine(self._url)
        known = Identity(installation=self.installation, mode=self._mode, sequence=0)
        self._prepare_all(known, now_ms)
        return self._renewal

    def renewed(self) -> None:
        """The new file has what it needs."""
        self._renewal = None
        self.write_identity()

    def _make_room(self, error: StoreDamaged) -> Renewal:
        copied = isinstance(error, StoreMoved) and self._copy_out()
        try:
            aside = set_aside(self.file, REPLACED if copied else DAMAGED)
            self._engine.dispose()
            if copied:
                Path(f"{self.file}.new").replace(self.file)
            sync_folder(self.file)
        except OSError as failed:
            raise StoreError(f"{self.file} cannot be renewed ({failed.strerror})") from failed
        done = "all of it was written anew" if copied else "a new one was begun from memory"
        kept = "" if aside is None else f"; what lay there is kept as {aside}"
        return Renewal(Finding("store_renewed", f"{error}: {done}{kept}"), is_empty=not copied)

    def write_identity(self) -> None:
        """Say beside the file who this is and how far the journal goes."""
        try:
            newest = self.transact(_newest)
            identity = Identity(installation=self.installation, mode=self._mode, sequence=newest)
            write_identity(self.file, identity)
        except (StoreError, OSError) as error:
            # The one before still says who this is, and no guard waits for it.
            _log.warning("identity_unwritten", file=self.file, error=str(error))

    def close(self) -> None:
        """Give the file free."""
        self._engine.dispose()

    def _open(self, known: Identity | None, now_ms: int) -> None:
        try:
            _check_pages(self._engine, self.file)
            _back_up(self._engine, self.file, now_ms)
            self._prepare_all(known, now_ms)
        except BaseException:
            self._engine.dispose()
            raise

    def _prepare_all(self, known: Identity | None, now_ms: int) -> None:
        """Bring the tables up to date, all or nothing, and see that they serve this mode."""
        self._place = Place(self.file)
        self.transact(lambda connection: self._prepare(connection, known, now_ms))
        self._place = Place(self.file)

    def _prepare(self, connection: Connection, known: Identity | None, now_ms: int) -> None:
        command.upgrade(_alembic(connection), "head")
        _check_tables(connection, self.file)
        values = {row.key: row.value for row in connection.execute(select(meta))}
        if not values:
            tag = secrets.token_hex(INSTALLATION_BYTES) if known is None else known.installation
            values = {"installation": tag, "mode": self._mode}
            values[CHECK] = _sum(values)
            connection.execute(insert(meta), [{"key": k, "value": v} for k, v in values.items()])
            connection.execute(insert(users).values(name=DEFAULT_USER, created_at=now_ms))
            if known is not None and not self.installation and not self.findings:
                text = f"{self.file} was gone or empty: a new one was begun"
                self._found("store_lost", text)
        elif not {"installation", "mode"} <= values.keys() or not is_sound(
            _text(values), values.get(CHECK)
        ):
            raise StoreDamaged(f"{self.file} is damaged: it does not say whose it is")
        if values["mode"] != self._mode:
            raise StoreError(
                f"{self.file} belongs to mode {values['mode']}, not {self._mode}; "
                "choose another database for this mode"
            )
        self.installation = values["installation"]
        self.open_epochs = open_epochs(connection)
        newest = _newest(connection)
        if known is not None and known.installation == self.installation:
            missing = known.sequence - newest
            if missing > 0 and newest > 0:
                self._found(
                    "store_rolled_back",
                    f"{self.file} is an earlier state of itself, {missing} records short: what "
                    "rests on the exchange counts, and nothing is loosened",
                )

    def _begin_anew(self, known: Identity, now_ms: int, why: str) -> None:
        try:
            aside = set_aside(self.file, DAMAGED)
        except OSError as error:
            raise StoreError(f"{self.file} cannot be put aside ({error.strerror})") from error
        damage = why.partition(";")[0]
        self._found("store_damaged", f"{damage}: a new one was begun, it is kept as {aside}")
        self._engine, _ = make_engine(self._url)
        self._open(known, now_ms)

    def _copy_out(self) -> bool:
        """Copy what is open into a file beside its old place; False where it cannot be read."""
        fresh = f"{self.file}.new"
        raw = self._engine.raw_connection()
        try:
            source = raw.driver_connection
            assert isinstance(source, sqlite3.Connection)
            Path(fresh).unlink(missing_ok=True)
            with closing(sqlite3.connect(fresh)) as copy:
                source.backup(copy)
                (verdict,) = copy.execute("PRAGMA quick_check(1)").fetchone()
        except (sqlite3.Error, OSError) as error:
            _log.warning("store_not_copied", file=self.file, error=str(error))
            return False
        finally:
            raw.close()
        return bool(verdict == SOUND)

    def _found(self, code: str, text: str) -> None:
        self.findings.append(Finding(code, text))


def _newest(connection: Connection) -> int:
    found: int | None = connection.execute(select(func.max(journal.c.sequence))).scalar_one()
    return found or 0


def _text(values: dict[str, str]) -> str:
    return f"{values['installation']} {values['mode']}"


def _sum(values: dict[str, str]) -> str:
    return checksum(_text(values))


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", MIGRATIONS)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _check_pages(engine: Engine, file: str) -> None:
    """Raises: StoreDamaged where a page is not what SQLite wrote, as far as that can be seen."""
    if file in IN_MEMORY:
        return
    with explained(file), engine.connect() as connection:
        verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        connection.rollback()
    if verdict != SOUND:
        raise StoreDamaged(f"{file} is damaged ({verdict}); restore its newest backup beside it")


def _check_tables(connection: Connection, file: str) -> None:
    """Raises: StoreDamaged where a table or a column has lost its name."""
    found = inspect(connection)
    names = set(found.get_table_names())
    for table in metadata.tables.values():
        there = table.name in names
        columns = {row["name"] for row in found.get_columns(table.name)} if there else set()
        if not columns.issuperset(table.columns.keys()):
            raise StoreDamaged(f"{file} is damaged: its table {table.name} is not whole")


def _back_up(engine: Engine, file: str, now_ms: int) -> None:
    """Copy a database that is about to be changed; refuse one that is not ours to change."""
    with explained(file):
        with engine.begin() as connection:
            tables = set(inspect(connection).get_table_names())
            revision = MigrationContext.configure(connection).get_current_revision()
            scripts = ScriptDirectory.from_config(_alembic(connection))
        if not tables or revision == scripts.get_current_head():
            return
        if revision is None or not tables & set(metadata.tables):
            raise StoreDamaged(f"{file} is a database of another program; choose another file")
        if not revision.isdecimal():
            raise StoreDamaged(f"{file} is damaged: it does not say who wrote it")
        if revision not in {script.revision for script in scripts.walk_revisions()}:
            raise StoreError(f"{file} was written by a newer Trailstop; update this one")
        raw = engine.raw_connection()
        try:
            with closing(sqlite3.connect(f"{file}.backup-{revision}-{now_ms}")) as copy:
                source = raw.driver_connection
                assert isinstance(source, sqlite3.Connection)
                source.backup(copy)
        except sqlite3.Error as error:
            raise StoreError(f"{file}: no backup before the upgrade: {error}") from error
        finally:
            raw.close()
