"""What is told: never protected on an old word, never a position in silence."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from trailstop.view.words import how_known

pytestmark = pytest.mark.usefixtures("one_way")
"""The mode of the account changes nothing of these; `tests/acceptance` plays both."""

READS = ("read_stops", "read_positions")
TOLD_MS = 2_000
"""D: what the exchange told counts after this."""
SILENT_MS = 7_000
"""R + D: what nobody told counts after this."""


def _shut(table, **settings):
    """No read of the account is answered any more."""
    for read in READS:
        table.fault("unavailable", getattr(table.exchange, read), **settings)


@pytest.mark.parametrize("told", [True, False], ids=["told", "silent"])
def test_shows_protected_when_not_leaves_held_while_nothing_can_be_read(sit, side, told):
    async def story(table):
        table.bare_allowed("our stops are taken away while nothing can be read")
        table.open(side)
        await table.wait(8)
        assert table.status(side).protection == "held"
        began_ms = table.now_ms
        _shut(table)
        if not told:
            table.fault("silence", stream="private", from_ms=began_ms)
        for stop in table.stops(side):
            table.remove(stop)
        patience_s = (TOLD_MS if told else SILENT_MS) / 1_000
        await table.until(lambda: table.status(side).protection != "held", patience_s)
        await table.wait(3)
        status = table.daemon.facade.status()
        assert [leg.leg for leg in status.unprotected] == [table.leg(side)]
        if not told:
            (leg,) = status.unprotected
            assert leg.protection == "unknown"
            assert leg.confirmed_ago_ms is not None
            assert (
                table.now_ms - began_ms <= leg.confirmed_ago_ms <= table.now_ms - began_ms + 6_000
            )
        table.paper.faults.clear()
        table.out_of_reach(began_ms, table.now_ms, "no read was answered")
        await table.until(lambda: table.status(side).protection == "held", 7)
        assert len(table.stops(side)) == table.layers

    sit(story)


def test_shows_protected_when_not_an_old_word_is_told_with_its_age_though_the_stop_rests(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(3)
        _shut(table, until_ms=table.now_ms + 30_000)
        await table.wait(12)
        leg = table.status(side)
        assert leg.protection == "unknown"
        assert leg.confirmed_ago_ms >= SILENT_MS
        assert how_known(leg).startswith("unknown, last confirmed "), "as `status --check` says it"
        assert table.stops(side), "it rests all the while"
        await table.wait(25)
        leg = table.status(side)
        assert leg.protection == "held"
        assert leg.confirmed_ago_ms < SILENT_MS
        table.assert_never_bare()

    sit(story)


def test_shows_protected_when_not_a_quiet_position_stays_held(sit, side):
    """Two minutes in which nothing happens are confirmed by passes alone."""

    async def story(table):
        table.open(side)
        await table.wait(3)
        for _ in range(40):
            await table.wait(3.1)
            assert table.status(side).protection == "held"

    sit(story)


def _left_alone(table):
    """What its owner leaves out has no stop of ours, however long it is open."""
    table.out_of_reach(0, table.now_ms, "its owner leaves it out")


def _lines(log, event):
    return [line for line in log if line["event"] == event]


@pytest.mark.parametrize("adopt", ['adopt = ["ETHUSDT"]', 'adopt = "none"'])
def test_silent_unmanaged_a_position_outside_the_settings_is_listed_and_logged_once(
    sit, side, adopt
):
    async def story(table):
        table.open(side)
        await table.until(lambda: table.account_status(side).not_guarded, 3)
        await table.wait(70)
        assert table.account_status(side).not_guarded == (str(table.leg(side)),)
        assert not table.guarded(side)
        assert table.stops(side) == []
        _left_alone(table)

    with capture_logs() as log:
        sit(story, lines=["[guard]", adopt])
    (line,) = _lines(log, "not_guarded")
    assert line["log_level"] == "warning"
    assert "BTCUSDT" in line["leg"]


def test_silent_unmanaged_every_position_is_guarded_or_listed(sit, side):
    """Those from before the start, those told by a stream and those that no stream tells of."""

    async def story(table):
        other = table.exchange.other_symbol
        table.open(side)
        await table.start()
        await table.wait(3)
        table.fault("silence", stream="private", from_ms=table.now_ms)
        table.open(side, symbol=other)
        await table.wait(8)
        guarded = {leg.leg for leg in table.daemon.facade.status().legs}
        listed = set(table.account_status(side).not_guarded)
        assert table.leg(side) in guarded
        assert listed == {str(table.leg(side, other))}
        _left_alone(table)

    sit(story, guard_first=False, lines=["[guard]", 'ignore = ["ETHUSDT"]'])


def test_silent_unmanaged_the_end_of_what_is_left_out_takes_it_off_the_list(sit, side):
    async def story(table):
        table.open(side)
        await table.until(lambda: table.account_status(side).not_guarded, 3)
        table.close(side)
        await table.wait(65)
        assert table.account_status(side).not_guarded == ()
        _left_alone(table)

    sit(story, lines=["[guard]", 'adopt = "none"'])
