"""A limit that counts the span of time that ends now."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trailstop.venues.governor import AddressBudget, Governor, RollingWindow


async def _asleep(seconds: float) -> None:
    raise AssertionError(f"a write waits for nothing, least of all {seconds} s")


@given(st.lists(st.integers(0, 400), max_size=80), st.integers(1, 10))
def test_no_span_of_its_length_ever_holds_more_than_the_limit(gaps, limit):
    now_ms = [0]
    governor = Governor(
        lambda: now_ms[0],
        _asleep,
        AddressBudget(RollingWindow(10_000, 5_000)),
        (RollingWindow(limit, 1_000),),
    )
    sent = []
    for gap in gaps:
        now_ms[0] += gap
        wait_ms = governor.protective(1, 1)
        if wait_ms:
            now_ms[0] += wait_ms
            assert governor.protective(1, 1) == 0, "after the wait that it names there is room"
        sent.append(now_ms[0])
    for at in sent:
        assert sum(at <= other < at + 1_000 for other in sent) <= limit


def test_those_who_are_turned_away_come_again_one_window_after_the_other():
    now_ms = [0]
    address = AddressBudget(RollingWindow(10_000, 5_000))
    governor = Governor(lambda: now_ms[0], _asleep, address, (RollingWindow(3, 1_000),))
    waits = [governor.protective(1, 1) for _ in range(11)]
    assert waits == [0] * 3 + [1_000] * 3 + [2_000] * 3 + [3_000] * 2
    for turn_ms in waits[3:]:
        now_ms[0] = turn_ms
        assert governor.protective(1, 1) == 0, "each finds the room that it was promised"


def test_what_others_used_counts_from_when_it_is_told():
    window = RollingWindow(10, 1_000)
    window.add(0, 2)
    window.told(100, 9, sent_ms=90)
    assert window.used(100) == 9
    assert window.used(1_000) == 7
    assert window.used(1_100) == 0


def test_a_count_that_is_lower_or_too_old_changes_nothing():
    window = RollingWindow(10, 1_000)
    window.add(500, 5)
    window.told(600, 3, sent_ms=590)
    window.told(1_400, 9, sent_ms=100)
    assert window.used(1_400) == 5


def test_a_window_that_is_shut_opens_when_the_exchange_said():
    window = RollingWindow(10, 1_000)
    window.add(0, 1)
    window.close_until(700)
    assert (window.used(100), window.left_ms(100)) == (10, 600)
    assert window.used(700) == 1
