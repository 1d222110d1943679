"""The table that every acceptance test sits at: each exchange, both sides where it matters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.acceptance.exchanges import EXCHANGES, Exchange
from tests.acceptance.table import SideName, Story, play
from trailstop.paper.settings import WorldSettings

Play = Callable[..., Any]
QUIET_WORLD = WorldSettings(spread_ticks=2, guard_prefix="ts-")
"""The last price lies in the middle of the book, so that both sides are alike, and the clocks
tell our stops from those of others."""


@pytest.fixture(params=EXCHANGES, ids=lambda exchange: exchange.name)
def exchange(request: pytest.FixtureRequest) -> Exchange:
    chosen: Exchange = request.param
    return chosen


@pytest.fixture(params=["long", "short"])
def side(request: pytest.FixtureRequest) -> SideName:
    chosen: SideName = request.param
    return chosen


@pytest.fixture
def sit(exchange: Exchange, tmp_path: Path) -> Play:
    """Run a story; `overlap` says whether two working stops may rest together."""

    def run(story: Story[Any], *, overlap: bool = True, policy: str = "", **settings: Any) -> Any:
        allowed = "allow" if overlap else "refuse"
        world = replace(QUIET_WORLD, second_reduce_only_stop=allowed, **settings.pop("world", {}))
        lines = [*settings.pop("lines", ()), "[policy]", *policy.splitlines()]
        return play(exchange, tmp_path, story, world=world, lines=lines, **settings)

    return run


@pytest.fixture(params=["two-stops", "one-stop"])
def sit_both(sit: Play, request: pytest.FixtureRequest) -> Play:
    """Run a story where two working stops may rest together, and where only one may."""
    return partial(sit, overlap=request.param == "two-stops")
