"""What other settings would have made of a position, from the journal of the one that was live."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.exchanges import BINANCE, BYBIT
from trailstop.commands.replay import replay as command
from trailstop.domain.policy import Callback
from trailstop.domain.position import Cause
from trailstop.lab import whatif
from trailstop.lab.terms import ExitCause
from trailstop.lab.whatif import AS_IT_WAS, DEFAULT, Setting, grid, what_if
from trailstop.storage.journals import open_journal

D = Decimal
FEES = D("0.1")
"""Both ways together, percent; what the paper exchange takes of a taker."""
NEAR = D("0.1")
QUICK = "update_interval_seconds = 1\nmin_improvement_percent = 0.01\ncallback_percent = 1"
TIGHT, LOOSE = Setting("tight", D(0), Callback(D("0.3"))), Setting("loose", D(5))


@pytest.fixture(params=[BINANCE, BYBIT], ids=str)
def exchange(request):
    return request.param


@pytest.fixture(params=["long", "short"])
def side(request):
    return request.param


async def lived(table, side, gains):
    """A position whose price goes through these gains, a few seconds apart."""
    table.open(side)
    await table.wait(2)
    # The gains are those of the position, also when it is closed already.
    prices = [table.up(side, gain) for gain in gains]
    for price in prices:
        table.price(price)
        await table.wait(4)
    await table.wait(5)
    await table.stop()


def judged(table, *settings):
    with open_journal(table.config.database) as journal:
        return what_if(journal, settings or None)


def test_its_own_settings_come_to_what_happened_and_others_to_what_they_would_have(sit, side):
    async def story(table):
        await lived(table, side, ("0.5", "0.1", "1", "2", "3", "2.4", "1.9"))
        (trade,) = judged(table, TIGHT, LOOSE).trades
        assert (trade.cause, trade.side.value) == (Cause.TRAIL, side)
        own, default = trade.of(AS_IT_WAS), trade.of(DEFAULT)
        assert own.cause is ExitCause.TRAIL
        assert abs(own.net_percent - trade.net_percent) < NEAR
        assert abs(own.net_percent - (D("1.9") - FEES)) < NEAR
        # At a callback of 0.5 % it leaves at the first price behind 3 % − 0.5 %.
        assert abs(default.net_percent - (D("2.4") - FEES)) < NEAR
        assert default.exit_ms < own.exit_ms
        # From the first price on 0.3 % behind: the first step back ends it.
        tight = trade.of("tight")
        assert abs(tight.net_percent - (D("0.1") - FEES)) < NEAR
        assert not tight.open_at_end
        # Trailing would have begun at 5 %: still there, and worth what the last price says.
        loose = trade.of("loose")
        assert loose.open_at_end
        assert abs(loose.net_percent - (D("1.9") - FEES)) < NEAR
        assert trade.best == default

    sit(story, policy=QUICK)


def test_a_position_that_its_owner_closed_is_judged_up_to_that_moment(sit, side):
    async def story(table):
        table.open(side)
        await table.wait(2)
        table.price(table.up(side, "0.4"))
        await table.wait(3)
        table.close(side)
        await table.wait(10)
        await table.stop()
        (trade,) = judged(table).trades
        assert trade.cause is Cause.CLOSED_ELSEWHERE
        assert trade.of(AS_IT_WAS).open_at_end
        assert len(trade.outcomes) == 2 + len(grid())

    sit(story)


def test_the_settings_are_summed_over_all_positions_the_best_first(sit):
    async def story(table):
        for side in ("long", "short"):
            table.open(side)
            await table.wait(2)
            for price in [table.up(side, gain) for gain in ("1.2", "0.8", "-2.5")]:
                table.price(price)
                await table.wait(5)
        await table.wait(5)
        await table.stop()
        found = judged(table, TIGHT, LOOSE)
        assert len(found.trades) == 2
        rows = {row.setting: row for row in found.settings}
        assert found.settings[0].setting == "tight"
        assert list(rows) == [row.setting for row in found.settings]
        for name, row in rows.items():
            nets = [trade.of(name).net_percent for trade in found.trades]
            assert abs(row.mean_percent - sum(nets) / 2) < D("0.001")
            assert row.worst_percent == min(nets)
        assert rows[AS_IT_WAS].better == 0

    sit(story)


@pytest.mark.parametrize("name", ["default", "momentum", "atr", "steps"])
def test_prices_that_change_nothing_are_left_out_without_changing_anything(monkeypatch, name):
    (file,) = (Path(__file__).parent / "journals").glob(f"*-{name}.jsonl.gz")
    settings = grid((D(0), D(1)), (D("0.2"), D(1)))
    with open_journal(file) as journal:
        found = what_if(journal, settings)
        monkeypatch.setattr(whatif, "_idle_band", lambda drive: None)
        assert what_if(journal, settings) == found
    assert len(found.trades) > 10


def test_the_command_tells_it_as_a_table_and_as_json(sit, capsys):
    async def story(table):
        await lived(table, "long", ("1", "2", "1.2"))
        file = table.config.database
        capsys.readouterr()
        assert command(file, whatif=True, activation="0:2:1", distance="0.5,1") == 0
        said = capsys.readouterr().out
        assert "activation 2 %, callback 0.5 %" in said
        assert "open at the end" in said
        assert command(file, whatif=True, activation="1", distance="0.5", as_json=True) == 0
        facts = json.loads(capsys.readouterr().out)
        (trade,) = facts["trades"]
        names = [one["setting"] for one in trade["outcomes"]]
        assert names == [AS_IT_WAS, DEFAULT, "activation 1 %, callback 0.5 %"]
        assert trade["best"] in names
        assert D(trade["outcomes"][0]["net_percent"]) < 2

    sit(story)
