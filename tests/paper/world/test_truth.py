"""The true state as the control interface shows it."""

from __future__ import annotations

import json
from decimal import Decimal

from tests.paper.world.scene import SYMBOL, D, Scene, plain, tape_of, ticks
from trailstop.paper.prices.market import derive_market
from trailstop.paper.prices.tape import Print, Tape
from trailstop.paper.world import World


def test_it_is_json_and_tells_a_whole_life():
    scene = Scene(ticks(100, 100, 94, 94))
    scene.long()
    scene.stop(90, None, client_id="backstop")
    stop = scene.stop(95, client_id="working")
    scene.after(1)
    told = json.loads(json.dumps(scene.world.truth()))
    account = told["accounts"]["trader"]
    assert [row["amount"] for row in account["positions"]] == ["1"]
    assert [row["client_id"] for row in account["open_conditionals"]] == ["backstop", "working"]
    assert told["clocks"]["unprotected_ms"] == 0
    scene.run_out()
    told = json.loads(json.dumps(scene.world.truth()))
    account = told["accounts"]["trader"]
    assert (account["positions"], account["open_conditionals"]) == ([], [])
    (epoch,) = account["epochs"]
    assert (epoch["closed_by"], epoch["closed_kind"]) == ("working", "conditional")
    assert epoch["closed_algo_id"] == stop.algo_id
    assert told["data_over"]


def test_it_says_where_every_price_comes_from():
    market = Scene(ticks(100, 100)).world.truth()["markets"][SYMBOL]
    assert market["mark_source"] == "mean of last"
    assert market["funding_source"] == "setting"


def test_small_numbers_have_no_exponent():
    settings = plain()
    market = derive_market("SHIBUSDT", D("0.0000123"), -9, 1, settings)
    points = iter([Print(1_700_000_100_000_000, D("0.0000123"), D(10), False)])
    world = World(settings, [Tape(market, points, "by hand")], ["trader"])
    told = world.truth()["markets"]["SHIBUSDT"]
    assert (told["tick_size"], told["last"]) == ("0.000000001", "0.0000123")


def test_the_same_seed_gives_the_same_keys_and_each_account_its_own():
    settings = plain(seed=5)
    worlds = [World(settings, [tape_of(ticks(100), settings)], ["a", "b"]) for _ in range(2)]
    keys = [list(world.accounts) for world in worlds]
    assert keys[0] == keys[1]
    secrets = {account.secret for account in worlds[0].accounts.values()}
    assert len(secrets | set(keys[0])) == 4
    assert worlds[0].accounts[keys[0][0]].wallet == Decimal(100_000)
