"""What every story needs: each exchange in each mode, both sides where it matters.

A folder of stories imports these fixtures and the hook into its conftest. A story that is about
one form or one mode asks for it by a fixture (`two_layers`, `one_layer`, `one_way`, `hedge`); it
is then played on the exchanges that have it. `overlap` says whether two working stops may rest
together; where a stop moves in place there is nothing to ask.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.acceptance.exchanges import EXCHANGES, Exchange
from tests.acceptance.table import Ended, SideName, Story, play
from trailstop.paper.settings import WorldSettings

Play = Callable[..., Any]
QUIET_WORLD = WorldSettings(spread_ticks=2, guard_prefix="ts-")
"""The last price lies in the middle of the book, so that both sides are alike, and the clocks
tell our stops from those of others."""
WISHES: dict[str, Callable[[Exchange], bool]] = {
    "two_layers": lambda exchange: not exchange.one_layer,
    "one_layer": lambda exchange: exchange.one_layer,
    "one_way": lambda exchange: not exchange.hedge,
    "hedge": lambda exchange: exchange.hedge,
}
BOTH_WAYS = {"two-stops": True, "one-stop": False}
IN_PLACE = {"in-place": True}
__all__ = [
    "ended",
    "exchange",
    "hedge",
    "one_layer",
    "one_way",
    "overlap",
    "pytest_generate_tests",
    "side",
    "sit",
    "sit_both",
    "two_layers",
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Play each story on every exchange that has the form and the mode it is about."""
    names = metafunc.fixturenames
    if "exchange" not in names:
        return
    wishes = [wish for name, wish in WISHES.items() if name in names]
    chosen = [one for one in EXCHANGES if all(wish(one) for wish in wishes)]
    if "overlap" not in names:
        metafunc.parametrize("exchange", chosen, ids=str, indirect=True)
        return
    rows = [
        pytest.param(one, overlap, id=f"{one}-{name}")
        for one in chosen
        for name, overlap in (IN_PLACE if one.one_layer else BOTH_WAYS).items()
    ]
    metafunc.parametrize(("exchange", "overlap"), rows, indirect=True)


@pytest.fixture
def exchange(request: pytest.FixtureRequest) -> Exchange:
    chosen: Exchange = request.param
    return chosen


@pytest.fixture
def overlap(request: pytest.FixtureRequest) -> bool:
    """Whether a second working stop may rest beside the first."""
    chosen: bool = request.param
    return chosen


@pytest.fixture
def two_layers() -> None:
    """Only where a working stop rests in front of a backstop."""


@pytest.fixture
def one_layer() -> None:
    """Only where the position's one stop is moved in place."""


@pytest.fixture
def one_way() -> None:
    """Only where a symbol has one position an account."""


@pytest.fixture
def hedge() -> None:
    """Only where a symbol has a long and a short position an account."""


@pytest.fixture(params=["long", "short"])
def side(request: pytest.FixtureRequest) -> SideName:
    chosen: SideName = request.param
    return chosen


@pytest.fixture
def ended() -> Ended:
    """What is done with a table whose story went well: here nothing."""
    return lambda table: None


@pytest.fixture
def sit(exchange: Exchange, tmp_path: Path, ended: Ended) -> Play:
    """Run a story; `overlap` says whether two working stops may rest together."""

    def run(story: Story[Any], *, overlap: bool = True, policy: str = "", **settings: Any) -> Any:
        allowed = "allow" if overlap else "refuse"
        world = replace(QUIET_WORLD, second_reduce_only_stop=allowed, **settings.pop("world", {}))
        lines = [*settings.pop("lines", ()), "[policy]", *policy.splitlines()]
        return play(exchange, tmp_path, story, world=world, lines=lines, ended=ended, **settings)

    return run


@pytest.fixture
def sit_both(sit: Play, overlap: bool) -> Play:
    """Run a story where two working stops may rest together, and where only one may."""
    return partial(sit, overlap=overlap)
