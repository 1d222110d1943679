"""A file that is damaged, gone, replaced, restored or full: nothing that guards is lost.

The file that cannot be trusted is kept under another name, and whose stops rest on the exchange
is still known.
"""

# ruff: noqa: SLF001, ASYNC240 - files are spoiled beneath the store, and nothing else runs
from __future__ import annotations

import asyncio
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy.exc import DatabaseError

from tests.storage.examples import EPOCH, LEG, adopted, held, intended, price, settled, trail
from trailstop.domain.position import Leg
from trailstop.errors import StoreError
from trailstop.storage.database import Finding
from trailstop.storage.records import Noted
from trailstop.storage.store import Store
from trailstop.storage.writer import _Transaction

STOP = Decimal("59000.1")
PAGE = 4_096
FLIPS = 60
OTHER = Leg("main", "binance", "ETHUSDT")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "paper.db"


def opened(file: Path) -> Store:
    return Store.open(f"sqlite:///{file}", mode="paper", now_ms=1)


async def written(file: Path, moves: int = 5) -> str:
    """A database with two open epochs and an open write; gives the installation's tag."""
    store = opened(file)
    store.record([adopted()], trail=trail())
    store.record([adopted(OTHER)], trail=trail(OTHER))
    store.record([intended("ts-1")])
    for number in range(1, moves + 1):
        store.record([held(number)], trail=trail(live_stop=STOP, moves=number))
    await store.close()
    return store.installation


async def pragma(store: Store, text: str) -> object:
    """Set something on the one connection, in its thread and outside of a transaction."""

    def setting() -> object:
        raw = store._database._engine.raw_connection()
        try:
            return raw.cursor().execute(f"PRAGMA {text}").fetchone()
        finally:
            raw.close()

    return await store._in_thread(setting)


def asides(file: Path, why: str) -> list[str]:
    return sorted(found.name for found in file.parent.glob(f"{file.name}.{why}-*"))


def codes(store: Store) -> list[str]:
    return [finding.code for finding in store.findings]


async def test_a_truncated_file_is_put_aside_at_each_page_and_the_tag_is_kept(file: Path) -> None:
    tag = await written(file)
    whole = file.read_bytes()
    for page in range(len(whole) // PAGE):
        for cut in (page * PAGE, page * PAGE + 100):
            file.write_bytes(whole[:cut])
            store = opened(file)
            loaded = store.load()
            assert store.installation == tag, cut
            assert not loaded.trails
            # An empty file is no damage, and no less a loss.
            assert codes(store) == [("store_damaged" if cut else "store_lost")], cut
            store.record([adopted()], trail=trail())
            await store.close()
            assert (b"" if cut == 0 else whole[:cut]) in (
                b"",
                *(found.read_bytes() for found in file.parent.glob(f"{file.name}.damaged-*")),
            )
            for found in (*file.parent.glob(f"{file.name}.damaged-*"), file):
                found.unlink()


async def test_a_flipped_bit_is_found_or_harmless(file: Path) -> None:
    """What a restart continues from is exactly what was written, or is named as unreadable."""
    tag = await written(file)
    whole = file.read_bytes()
    names = random.Random(4)
    seen: set[str] = set()
    for _ in range(FLIPS):
        place, bit = names.randrange(len(whole)), names.randrange(8)
        spoiled = bytearray(whole)
        spoiled[place] ^= 1 << bit
        file.write_bytes(spoiled)
        store = opened(file)
        loaded = store.load()
        seen.update(codes(store))
        seen.update("unreadable" for _ in loaded.unreadable)
        assert store.installation == tag, place
        for found in loaded.trails:
            assert found in (trail(live_stop=STOP, moves=5), trail(OTHER)), place
        for stored in loaded.intents:
            assert stored.intent == intended("ts-1").intent, place
        await store.close()
        for left in file.parent.glob(f"{file.name}*damaged*"):
            left.unlink()
        file.unlink()
    assert {"store_damaged", "unreadable"} <= seen


@pytest.mark.parametrize("payload", [b'"59000.1"'])
async def test_a_price_that_changed_by_itself_is_no_price(file: Path, payload: bytes) -> None:
    await written(file)
    content = file.read_bytes()
    assert payload in content
    file.write_bytes(content.replace(payload, b'"53000.1"'))
    store = opened(file)
    loaded = store.load()
    assert loaded.unreadable == ((LEG, EPOCH),)
    assert [found.leg for found in loaded.trails] == [OTHER]
    await store.close()


async def test_a_damaged_file_without_an_identity_is_not_touched(file: Path) -> None:
    await written(file)
    Path(f"{file}.identity").unlink()
    content = bytearray(file.read_bytes())
    content[PAGE : 3 * PAGE] = b"\xff" * (2 * PAGE)
    file.write_bytes(content)
    with pytest.raises(StoreError, match="is damaged"):
        opened(file)
    assert file.read_bytes() == bytes(content)


async def test_an_identity_that_is_damaged_is_not_believed(file: Path) -> None:
    tag = await written(file)
    identity = Path(f"{file}.identity")
    identity.write_text(identity.read_text().replace(tag, "00000000"))
    store = opened(file)
    assert store.installation == tag
    await store.close()
    assert tag in identity.read_text()


async def test_a_deleted_file_comes_back_with_the_same_tag_and_says_so(file: Path) -> None:
    tag = await written(file)
    file.unlink()
    store = opened(file)
    assert store.installation == tag
    assert codes(store) == ["store_lost"]
    await store.close()
    again = opened(file)
    assert again.findings == ()
    await again.close()


async def test_yesterdays_copy_is_known_by_what_it_lacks(file: Path, tmp_path: Path) -> None:
    await written(file, moves=3)
    yesterday = tmp_path / "yesterday"
    shutil.copy(file, yesterday)
    await (store := opened(file)).durable()
    store.load()
    store.record([held(9)], trail=trail(moves=9))
    await store.close()
    shutil.copy(yesterday, file)
    restored = opened(file)
    assert codes(restored) == ["store_rolled_back"]
    assert "1 records short" in restored.findings[0].text
    await restored.close()


async def test_a_file_that_lost_its_log_is_an_earlier_state(file: Path) -> None:
    await written(file, moves=3)
    store = opened(file)
    store.record([held(9)], trail=trail(moves=9))
    await store.durable()
    store._database.write_identity()
    moved = file.with_name("moved.db")
    shutil.copy(file, moved)
    shutil.copy(f"{file}.identity", f"{moved}.identity")
    assert Path(f"{file}-wal").stat().st_size > 0
    await store.close()
    without = opened(moved)
    assert codes(without) == ["store_rolled_back"]
    await without.close()


def rename(file: Path) -> None:
    file.rename(file.with_name("elsewhere.db"))


def delete(file: Path) -> None:
    file.unlink()


def delete_all(file: Path) -> None:
    file.unlink()
    Path(f"{file}-wal").unlink()


def delete_log(file: Path) -> None:
    Path(f"{file}-wal").unlink()


def replace_by_a_copy(file: Path) -> None:
    copy = file.with_name("copy.db")
    shutil.copy(file, copy)
    copy.replace(file)


def overwrite_with_rubbish(file: Path) -> None:
    file.write_bytes(b"rubbish " * 10_000)


@pytest.mark.parametrize(
    ("accident", "history"),
    [
        (rename, True),
        (delete, True),
        (delete_all, True),
        (delete_log, True),
        (replace_by_a_copy, True),
        (overwrite_with_rubbish, False),
    ],
)
async def test_a_file_that_goes_while_it_is_open_is_written_anew(
    file: Path, accident: object, history: bool
) -> None:
    assert callable(accident)
    tag = await written(file)
    store = opened(file)
    told: list[Finding] = []
    store.listener = told.append
    store.load()
    store.record([held(9)], trail=trail(moves=9))
    await store.durable()
    accident(file)
    store.record([price(10)], trail=trail(moves=10))
    await store.durable()
    assert [finding.code for finding in told] == ["store_renewed"]
    assert file.exists()
    store.record([settled("ts-1", "acknowledged", "7")])
    store.record([held(11)], trail=trail(moves=11))
    await store.close()

    again = opened(file)
    loaded = again.load()
    assert again.installation == tag
    assert set(loaded.trails) == {trail(moves=11), trail(OTHER)}
    assert loaded.unreadable == ()
    assert loaded.intents == ()
    assert loaded.generations[LEG, EPOCH] == 1
    kinds = [row.kind for row in await again.events()]
    assert kinds.count("adopted") == 2
    assert (kinds.count("held") == 7) is history
    assert again.findings == ()
    await again.close()


async def test_damage_that_shows_only_while_it_runs_is_mended_from_memory(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(file)
    store = opened(file)
    store.load()
    told: list[Finding] = []
    store.listener = told.append

    with monkeypatch.context() as spoiled:
        spoiled.setattr("trailstop.storage.writer._Transaction.finish", _fail_once())
        store.record([held(9)], trail=trail(moves=9))
        await store.durable()
    assert [finding.code for finding in told] == ["store_renewed"]
    assert asides(file, "damaged")
    await store.close()
    again = opened(file)
    assert set(again.load().trails) == {trail(moves=9), trail(OTHER)}
    assert [stored.intent.client_id for stored in again.load().intents] == ["ts-1"]
    await again.close()


def _fail_once() -> Callable[[_Transaction], None]:
    finish = _Transaction.finish
    failed: list[int] = []

    def spoiled(self: _Transaction) -> None:
        if not failed:
            failed.append(1)
            raise DatabaseError(
                "x", None, sqlite3.DatabaseError("database disk image is malformed")
            )
        finish(self)

    return spoiled


async def test_a_full_disk_is_told_once_and_nothing_is_lost(file: Path) -> None:
    await written(file)
    store = opened(file)
    told: list[Finding] = []
    store.listener = told.append
    await pragma(store, "max_page_count=1")
    big = Noted(LEG, EPOCH, "big", "x" * 100_000, EPOCH + 1)
    store.record([big])
    for number in range(3):
        store.record([held(20 + number)], trail=trail(moves=number))
        with pytest.raises(StoreError, match="is full; free some space"):
            await store.durable()
    assert [finding.code for finding in told] == ["store_failing"]
    await pragma(store, "max_page_count=1000000")
    await store.durable()
    rows = [row.record for row in await store.events()]
    assert big in rows
    assert held(22) in rows
    await store.close()


async def test_a_file_that_may_only_be_read_is_told_and_mended(file: Path) -> None:
    await written(file)
    store = opened(file)
    told: list[Finding] = []
    store.listener = told.append

    await pragma(store, "query_only=ON")
    store.record([held(9)], trail=trail(moves=9))
    with pytest.raises(StoreError, match="cannot be written; check its rights"):
        await store.durable()
    assert [finding.code for finding in told] == ["store_failing"]
    await pragma(store, "query_only=OFF")
    await store.durable()
    await store.close()


def test_whoever_comes_later_is_turned_away_not_the_guard(file: Path) -> None:
    """A program that reads the file while it is guarded cannot lock the guard out."""

    async def main() -> None:
        await written(file)
        store = opened(file)
        store.record([held(9)], trail=trail(moves=9))
        await store.durable()
        other = sqlite3.connect(file, timeout=0)
        with closing(other), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN EXCLUSIVE")
        store.record([held(10)], trail=trail(moves=10))
        await store.durable()
        await store.close()

    asyncio.run(main())


def test_a_file_that_another_program_holds_is_refused(file: Path) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="another Trailstop uses"):
            opened(file)
