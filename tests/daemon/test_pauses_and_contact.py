"""A process that stood still, a clock that was set, and an account that nobody answers for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from trailstop.daemon.process.contact import Contact
from trailstop.daemon.process.notices import Notices
from trailstop.daemon.process.pauses import Pauses
from trailstop.errors import ReadFailed
from trailstop.ports import VenueHealth


class Ended(Exception):
    """The script of the clock is over."""


@dataclass
class ScriptedClock:
    """Each sleep does what the script says next: (steady, wall) milliseconds that pass."""

    script: list[tuple[int, int]]
    steady: int = 1_000_000
    wall: int = 1_700_000_000_000

    def wall_ms(self) -> int:
        return self.wall

    def monotonic_ms(self) -> int:
        return self.steady

    async def sleep(self, seconds: float) -> None:
        if not self.script:
            raise Ended
        steady, wall = self.script.pop(0)
        self.steady += steady
        self.wall += wall
        await asyncio.sleep(0)


HEALTH = VenueHealth(
    breaker_open_since_ms=None,
    failures=0,
    last_success_ms=None,
    last_error="",
    weight_used=0,
    weight_limit=1,
    orders_used=0,
    orders_limit=1,
    shut_until_ms=None,
    clock_offset_ms=0,
    clock_corrections=0,
)


@dataclass
class OneVenue:
    """A venue of which only requests and the clock matter here."""

    clock: ScriptedClock
    name: str = "binance"
    account: str = "main"
    succeeded_ms: int | None = None
    resyncs: int = 0
    fails: bool = False

    def exchange_ms(self) -> int:
        return self.clock.steady

    def health(self) -> VenueHealth:
        return VenueHealth(
            *(
                self.succeeded_ms if name == "last_success_ms" else getattr(HEALTH, name)
                for name in VenueHealth.__struct_fields__
            )
        )

    async def resync(self) -> None:
        self.resyncs += 1
        if self.fails:
            raise ReadFailed("no clock")


@dataclass
class OneAccount:
    """An account of which only passes matter here."""

    venue: OneVenue
    blind_since_ms: int | None = None
    asked: list[bool] = field(default_factory=list)

    def ask_for_pass(self, why: str, *, full: bool = False) -> None:
        assert why
        self.asked.append(full)


def look(script: list[tuple[int, int]], *, fails: bool = False) -> OneAccount:
    clock = ScriptedClock(script)
    account = OneAccount(OneVenue(clock, fails=fails))

    async def main() -> None:
        with pytest.raises(Ended):
            await Pauses(cast("Any", [account]), clock).run()

    asyncio.run(main())
    return account


QUIET = (1_001, 1_001)


@pytest.mark.parametrize(
    ("tick", "noticed"),
    [
        pytest.param(QUIET, False, id="a second"),
        pytest.param((3_000, 3_000), False, id="a busy loop"),
        pytest.param((1_000, 1_900), False, id="a time service slews"),
        pytest.param((2_401_000, 2_401_000), True, id="stopped for forty minutes"),
        pytest.param((61_000, 61_000), True, id="stopped for a minute"),
        pytest.param((1_000, 2_401_000), True, id="asleep, with a clock that sleeps too"),
        pytest.param((1_000, -3_599_000), True, id="the wall an hour back"),
        pytest.param((1_000, 86_401_000), True, id="the wall a day ahead"),
    ],
)
@pytest.mark.parametrize("fails", [False, True])
def test_a_pause_or_a_jump_begins_anew_with_a_full_read(tick, noticed, fails):
    account = look([QUIET, tick, QUIET, QUIET], fails=fails)
    assert account.venue.resyncs == (1 if noticed else 0)
    assert any(account.asked) is noticed
    assert (account.blind_since_ms is not None) is noticed


def test_all_of_the_pause_counts_as_blind():
    account = look([QUIET, (2_401_000, 2_401_000)])
    assert account.blind_since_ms is not None
    before_ms = 1_000_000 + 1_001
    assert account.blind_since_ms <= before_ms


@dataclass
class Heard:
    """What was alarmed and noted."""

    told: list[str] = field(default_factory=list)

    def alarm(self, code: str, text: str, leg: object) -> None:
        assert text
        assert leg
        self.told.append(code)

    def note(self, code: str, text: str, leg: object) -> None:
        self.alarm(code, text, leg)


def contact(script: list[Any], *, answered: set[int], compared: set[int]) -> list[str]:
    """Look every 5 s; requests and passes succeed in the looks that are named."""
    clock = ScriptedClock([])
    venue, heard = OneVenue(clock), Heard()
    last = {"compared": clock.steady}
    number = 0

    async def sleep(_seconds: float) -> None:
        nonlocal number
        if number == len(script):
            raise Ended
        clock.steady += script[number]
        if number in answered:
            venue.succeeded_ms = clock.steady
        if number in compared:
            last["compared"] = clock.steady
        number += 1
        await asyncio.sleep(0)

    clock.sleep = sleep  # type: ignore[method-assign]
    watch = Contact(
        cast("Any", venue),
        cast("Notices", heard),
        clock,
        patience_minutes=2,
        pass_seconds=60,
        compared_ms=lambda: last["compared"],
    )

    async def main() -> None:
        with pytest.raises(Ended):
            await watch.run()

    asyncio.run(main())
    return heard.told


EVER = set(range(1_000))
LOOK = 5_000


def test_two_minutes_without_an_answer_are_told_once_and_so_is_the_end():
    answered = EVER - set(range(10, 60))
    assert contact([LOOK] * 100, answered=answered, compared=EVER) == [
        "no_contact",
        "no_contact_over",
    ]


def test_a_shorter_outage_is_not_told():
    assert contact([LOOK] * 100, answered=EVER - set(range(10, 33)), compared=EVER) == []


def test_an_account_that_never_answered_is_told():
    assert contact([LOOK] * 30, answered=set(), compared=EVER) == ["no_contact"]


def test_answers_without_a_whole_comparison_are_told_as_well():
    compared = EVER - set(range(10, 60))
    assert contact([LOOK] * 100, answered=EVER, compared=compared) == [
        "not_compared",
        "not_compared_over",
    ]


def test_standing_still_is_no_outage():
    script = [LOOK] * 10 + [2_400_000] + [LOOK] * 20
    assert contact(script, answered=EVER - {10, 11, 12}, compared=EVER - {10, 11, 12}) == []
