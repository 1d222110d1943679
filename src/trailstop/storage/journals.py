"""Journals at rest: a database that no guard holds at the moment, or an exported file.

Nothing here locks, changes or creates a file beside the journal. What a running or killed guard
has not yet moved from its write-ahead log is read from a copy of both.
https://www.sqlite.org/uri.html (immutable), https://www.sqlite.org/fileformat2.html#walformat
"""

from __future__ import annotations

import binascii
import gzip
import sqlite3
import tempfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from shutil import copyfile
from typing import IO, Final

import msgspec
from msgspec import Struct

from trailstop.domain.position import Leg
from trailstop.errors import DataError, StoreError
from trailstop.storage.place import LOG_SUFFIX
from trailstop.storage.prices import decode_prices, encode_plain
from trailstop.storage.read import PRICES
from trailstop.storage.records import QuietEvent, Record, decode, encode
from trailstop.storage.retention import FORGOTTEN
from trailstop.storage.shapes import PriceRun

FORMAT: Final = "trailstop-journal"
VERSION: Final = 1
SQLITE_MAGIC: Final = b"SQLite format 3\x00"
GZIP_MAGIC: Final = b"\x1f\x8b"
LOG_HEADER_BYTES: Final = 32
COPY_TRIES: Final = 5
"""A guard moves its log into the file now and then; a copy made meanwhile is made again."""
LEVEL: Final = 9

_ROWS: Final = """
SELECT journal.sequence, journal.at, journal.kind, journal.payload,
       active_positions.epoch, active_positions.account, active_positions.exchange,
       active_positions.symbol, active_positions.position_side
FROM journal LEFT JOIN active_positions ON active_positions.id = journal.position_id
ORDER BY journal.sequence
"""
_DAMAGED: Final = (msgspec.MsgspecError, zlib.error, binascii.Error, ValueError, KeyError)


class JournalRow(Struct, frozen=True):
    """One row. `record` is None where it is damaged or of another build, which `damage` explains.

    `leg` and `epoch` are those of the row's position, None where it belongs to none.
    """

    sequence: int
    at_ms: int
    kind: str
    leg: Leg | None
    epoch: int | None
    record: Record | PriceRun | None
    damage: str = ""


class Journal(Struct, frozen=True):
    """An open journal. `rows` begins anew with each call and holds one row at a time.

    Prices of before `forgotten_before_ms` were removed, as `journal_retention_days` wants it.
    `newest` is the last row's number where that is known without reading all of them.
    """

    rows: Callable[[], Iterator[JournalRow]]
    forgotten_before_ms: int | None = None
    newest: int | None = None


class _Header(Struct, frozen=True):
    """First line of an exported journal."""

    format: str
    version: int
    forgotten_before_ms: int | None = None


class _Line(Struct, frozen=True, omit_defaults=True):
    """One exported row; prices and what is damaged do not name their position themselves."""

    sequence: int
    at_ms: int
    kind: str
    payload: msgspec.Raw = msgspec.Raw(b"null")
    leg: Leg | None = None
    epoch: int | None = None
    damage: str = ""


_lines = msgspec.json.Decoder(_Line)


@contextmanager
def open_journal(file: Path) -> Iterator[Journal]:
    """Open a database or an export (`.jsonl`, `.jsonl.gz`) for reading.

    Raises: DataError where it is neither, StoreError where it cannot be read.
    """
    try:
        with file.open("rb") as opened:
            begin = opened.read(len(SQLITE_MAGIC))
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror}); name a journal") from None
    if begin == SQLITE_MAGIC:
        with _at_rest(file) as still:
            yield _of_database(still, file)
        return
    yield _exported(file, zipped=begin.startswith(GZIP_MAGIC))


def export_journal(journal: Journal, target: Path) -> int:
    """Write a journal into a new file, compressed where its name ends in `.gz`; gives its rows.

    The same journal gives the same bytes; a damaged row stays one. Raises: DataError where the
    file exists or cannot be written.
    """
    count = 0
    try:
        with target.open("xb") as plain, _packed(plain, zipped=target.suffix == ".gz") as out:
            out.write(_text(_Header(FORMAT, VERSION, journal.forgotten_before_ms)))
            for row in journal.rows():
                out.write(_text(_line(row)))
                count += 1
    except FileExistsError:
        raise DataError(f"{target} exists already; name another file") from None
    except OSError as error:
        raise DataError(f"{target} cannot be written ({error.strerror})") from None
    return count


def _line(row: JournalRow) -> _Line:
    if row.record is None:
        return _Line(
            row.sequence, row.at_ms, row.kind, leg=row.leg, epoch=row.epoch, damage=row.damage
        )
    if isinstance(row.record, PriceRun):
        quiet = [event for event in row.record.events if isinstance(event, QuietEvent)]
        payload = encode_plain(quiet)
        return _Line(row.sequence, row.at_ms, row.kind, msgspec.Raw(payload), row.leg, row.epoch)
    payload = encode(row.record).encode()
    return _Line(row.sequence, row.at_ms, row.kind, msgspec.Raw(payload))


def _text(line: _Header | _Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


@contextmanager
def _packed(plain: IO[bytes], *, zipped: bool) -> Iterator[IO[bytes] | gzip.GzipFile]:
    if not zipped:
        yield plain
        return
    # Neither name nor time, so that the same journal gives the same bytes.
    with gzip.GzipFile("", "wb", LEVEL, plain, mtime=0) as packed:
        yield packed


# --- databases --------------------------------------------------------------------------------
@contextmanager
def _at_rest(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection that sees the file and its log as they are now, and disturbs nobody."""
    with tempfile.TemporaryDirectory(prefix="trailstop-journal-") as folder:
        source, options = file.absolute(), "?mode=ro&immutable=1"
        if _size(_log_of(file)):
            source, options = Path(folder) / "journal.db", ""
            _copy(file, source)
        try:
            with closing(sqlite3.connect(f"{source.as_uri()}{options}", uri=True)) as database:
                database.text_factory = _decode_text
                names = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
                if not {"journal", "active_positions", "meta"} <= names:
                    raise DataError(f"{file} is no journal of Trailstop; name another file")
                yield database
        except sqlite3.Error as error:
            raise StoreError(f"{file} cannot be read ({error}); take a backup of it") from None


def _copy(file: Path, target: Path) -> None:
    """Copy a database and its log as of one moment. Raises: StoreError."""
    log = _log_of(file)
    for _ in range(COPY_TRIES):
        try:
            before = _state(file)
            copyfile(file, target)
            copyfile(log, _log_of(target))
            if _state(file) == before:
                return
        except OSError as error:
            raise StoreError(f"{file} cannot be copied ({error.strerror})") from None
    raise StoreError(f"{file} changes while it is read; stop its guard, or take a backup of it")


def _state(file: Path) -> tuple[int, int, bytes]:
    """What changes when the log is moved into the file, or begun anew; its end only grows."""
    found = file.stat()
    with _log_of(file).open("rb") as log:
        return found.st_size, found.st_mtime_ns, log.read(LOG_HEADER_BYTES)


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}{LOG_SUFFIX}")


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _decode_text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _of_database(database: sqlite3.Connection, file: Path) -> Journal:
    def rows() -> Iterator[JournalRow]:
        try:
            for sequence, at_ms, kind, payload, epoch, *leg in database.execute(_ROWS):
                owner = None if epoch is None else Leg(*leg)
                yield _row(_Line(sequence, at_ms, kind, leg=owner, epoch=epoch), payload)
        except sqlite3.Error as error:
            raise StoreError(f"{file} is damaged ({error}); take a backup of it") from None

    found = database.execute("SELECT value FROM meta WHERE key = ?", (FORGOTTEN,)).fetchone()
    (newest,) = database.execute("SELECT max(sequence) FROM journal").fetchone()
    return Journal(rows, None if found is None else int(found[0]), newest)


def _row(line: _Line, payload: str) -> JournalRow:
    record: Record | PriceRun | None = None
    damage = line.damage
    try:
        if damage:
            record = None
        elif line.kind != PRICES:
            record = decode(payload)
        elif line.leg is None or line.epoch is None:
            damage = "prices of no position"
        else:
            record = PriceRun(line.leg, line.epoch, decode_prices(payload))
    except _DAMAGED as error:
        damage = str(error) or type(error).__name__
    return JournalRow(line.sequence, line.at_ms, line.kind, line.leg, line.epoch, record, damage)


# --- exports ----------------------------------------------------------------------------------
def _exported(file: Path, *, zipped: bool) -> Journal:
    """Raises: DataError for what is no exported journal."""
    lines = _read_lines(file, zipped=zipped)
    header = next(lines, b"")
    lines.close()
    try:
        found = msgspec.json.decode(header, type=_Header)
    except msgspec.MsgspecError:
        found = None
    if found is None or found.format != FORMAT:
        raise DataError(f"{file} is neither a database of Trailstop nor an exported journal")
    if found.version != VERSION:
        raise DataError(f"{file} was exported by a newer Trailstop; update this one")

    def rows() -> Iterator[JournalRow]:
        lines = _read_lines(file, zipped=zipped)
        next(lines)
        for number, text in enumerate(lines, start=2):
            try:
                line = _lines.decode(text)
            except msgspec.MsgspecError as error:
                raise DataError(f"{file}, line {number}: {error}; export it anew") from None
            yield _row(line, bytes(line.payload).decode())

    return Journal(rows, found.forgotten_before_ms)


def _read_lines(file: Path, *, zipped: bool) -> Generator[bytes, None, None]:
    try:
        with gzip.open(file) if zipped else file.open("rb") as opened:
            yield from opened
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file} is cut short or damaged ({error}); export it anew") from None
