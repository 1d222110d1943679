from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.storage.examples import Opener
from trailstop.storage.store import Store


@pytest.fixture(params=["sqlite"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens the same database again and again; every backend passes the same suite."""
    addresses = {"sqlite": f"sqlite:///{tmp_path / 'trailstop.db'}"}
    address = addresses[request.param]
    return lambda: Store.open(address, mode="paper", now_ms=1)


@pytest.fixture
async def store(open_store: Opener) -> AsyncIterator[Store]:
    opened = open_store()
    yield opened
    await opened.close()
