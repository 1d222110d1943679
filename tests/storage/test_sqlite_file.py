"""One file, one owner, one mode: what is refused when a database is opened, in one line each."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from tests.storage.examples import adopted, trail
from trailstop.errors import StoreError
from trailstop.storage import database
from trailstop.storage.store import Store

SECOND_OPENER = """
import sys
from trailstop.errors import StoreError
from trailstop.storage.store import Store
try:
    Store.open(sys.argv[1], mode="paper", now_ms=1)
except StoreError as error:
    print(error)
"""

NEXT_VERSION = """
import sqlalchemy as sa
from alembic import op
revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

def upgrade():
    op.add_column("users", sa.Column("colour", sa.Text()))
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "paper.db"


def opened(file: Path, mode: str = "paper") -> Store:
    return Store.open(f"sqlite:///{file}", mode=mode, now_ms=1)


def open_in_another_process(file: Path) -> str:
    return subprocess.run(
        [sys.executable, "-c", SECOND_OPENER, f"sqlite:///{file}"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    ).stdout


async def test_a_second_process_is_told_who_has_the_file(file: Path) -> None:
    first = opened(file)
    told = open_in_another_process(file)
    assert told == f"another Trailstop uses {file}; stop it or choose another database\n"
    first.record([adopted()], trail=trail())
    await first.close()


async def test_a_second_opener_waits_for_nobody_once_the_first_has_closed(file: Path) -> None:
    await opened(file).close()
    await opened(file).close()


async def test_no_shared_memory_file_is_made(file: Path) -> None:
    store = opened(file)
    assert not file.with_name("paper.db-shm").exists()
    await store.close()


async def test_another_mode_needs_another_database(file: Path) -> None:
    await opened(file).close()
    with pytest.raises(StoreError, match="belongs to mode paper, not live; choose another"):
        opened(file, mode="live")
    await opened(file).close()


def test_a_file_that_is_no_database_is_left_as_it_is(file: Path) -> None:
    file.write_text("my diary, not a database, and rather longer than a header\n" * 9)
    before = file.read_bytes()
    with pytest.raises(StoreError, match=r"paper\.db is not a database; choose another file$"):
        opened(file)
    assert file.read_bytes() == before


def test_a_database_of_another_program_is_left_as_it_is(file: Path) -> None:
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE trades (id INTEGER)")
    other.close()
    with pytest.raises(StoreError, match="is a database of another program"):
        opened(file)
    with sqlite3.connect(file) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("trades",)]
    other.close()


async def test_a_database_of_a_newer_build_is_left_as_it_is(file: Path) -> None:
    await opened(file).close()
    with sqlite3.connect(file) as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    with pytest.raises(StoreError, match="was written by a newer Trailstop; update this one"):
        opened(file)


def test_a_folder_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"choose another folder|check the folder"):
        opened(tmp_path / "file" / "deeper" / "paper.db")
    with pytest.raises(StoreError, match="cannot be opened; check the folder"):
        opened(tmp_path)


@pytest.mark.parametrize("address", ["paper.db", "sqlite:/x", "nothing://x", ""])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(StoreError, match="sqlite:///FILE"):
        Store.open(address, mode="paper", now_ms=1)


async def test_missing_folders_are_made(tmp_path: Path) -> None:
    await opened(tmp_path / "state" / "trailstop" / "paper.db").close()
    assert (tmp_path / "state" / "trailstop" / "paper.db").exists()


@pytest.fixture
def newer_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This build with one more migration."""
    scripts = tmp_path / "migrations"
    with as_file(files("trailstop.storage") / "migrations") as folder:
        shutil.copytree(folder, scripts)
    (scripts / "versions" / "v0003_next.py").write_text(NEXT_VERSION)
    monkeypatch.setattr(database, "MIGRATIONS", str(scripts))
    return scripts


async def test_an_upgrade_keeps_a_copy_and_what_is_inside(
    file: Path, newer_build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(database, "MIGRATIONS", "trailstop.storage:migrations")
        store = opened(file)
        store.record([adopted()], trail=trail())
        await store.close()
    assert list(file.parent.glob("*.backup-*")) == []

    upgraded = opened(file)
    assert upgraded.load().trails == (trail(),)
    await upgraded.close()
    (copy,) = file.parent.glob("paper.db.backup-0002-*")
    with sqlite3.connect(copy) as old:
        assert old.execute("SELECT count(*) FROM active_positions").fetchone() == (1,)
        assert "colour" not in str(old.execute("SELECT sql FROM sqlite_master").fetchall())
    old.close()


async def test_an_upgrade_that_breaks_off_leaves_the_database_as_it_was(
    file: Path, newer_build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr(database, "MIGRATIONS", "trailstop.storage:migrations")
        store = opened(file)
        store.record([adopted()], trail=trail())
        await store.close()
    script = newer_build / "versions" / "v0003_next.py"
    script.write_text(NEXT_VERSION + '    op.drop_table("nowhere")\n')
    with pytest.raises(StoreError, match="no such table: nowhere"):
        opened(file)
    monkeypatch.undo()
    again = opened(file)
    assert again.load().trails == (trail(),)
    await again.close()


async def test_the_tables_are_those_that_the_queries_expect(file: Path) -> None:
    """A model that drifts from its migrations is found here, not by a user's upgrade."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from trailstop.storage.tables import metadata

    store = opened(file)
    difference = await store.read(
        lambda open_: compare_metadata(MigrationContext.configure(open_), metadata)
    )
    assert difference == []
    await store.close()
