"""Plans: what goes wrong as data, by file, by request, and the same way each time."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.paper.server.support import SYMBOL, run, tape
from trailstop.cli import CONFIGURATION, main
from trailstop.errors import ConfigError
from trailstop.paper.trouble.plan import decode_plan, read_plan

POSITIONS = "/fapi/v3/positionRisk"
TIME = "/fapi/v1/time"
LONG = {"account": "long", "symbol": SYMBOL, "side": "long", "quantity": "0.1"}


def plan(*items, **more):
    return decode_plan(json.dumps({"items": items, **more}).encode())


def at(after_ms, **what):
    return {"after_ms": after_ms, **what}


def fault(after_ms, kind, **fields):
    return at(after_ms, fault={"kind": kind, **fields})


def test_faults_begin_and_end_and_acts_happen_at_their_times():
    async def scenario(client):
        seen = []
        for _ in range(8):
            rows = await client.call("GET", POSITIONS)
            seen.append(len(rows) if client.status == 200 else rows["code"])
            await asyncio.sleep(1)
        return seen, (await client.control("GET", "state"))["plan"]

    planned = plan(
        at(1_500, act="positions", **{"with": LONG}),
        fault(2_500, "unknown", path=POSITIONS, for_ms=1_000),
        fault(4_500, "overloaded", path=POSITIONS),
        at(5_500, clear=3),
        at(6_500, act="close", **{"with": {"account": "long", "symbol": SYMBOL}}),
    )
    seen, state = run(scenario, plan=planned, latency_ms=0)
    assert seen == [0, 0, 1, -1000, 1, -1008, 1, 0]
    assert state == {"items": 5, "done": 5, "refused": []}


def test_times_inside_of_faults_and_acts_count_from_the_start():
    async def scenario(client):
        seen = []
        for _ in range(6):
            await client.call("GET", TIME, signed=False)
            seen.append(client.status)
            await asyncio.sleep(1)
        state = await client.control("GET", "state")
        return seen, state["markets"][SYMBOL]["status"]

    planned = plan(
        fault(0, "unavailable", from_ms=1_500, until_ms=3_500),
        at(2_000, act="halt", **{"with": {"symbol": SYMBOL, "for_ms": 60_000}}),
    )
    assert run(scenario, plan=planned, latency_ms=0) == ([200, 200, 503, 503, 200, 200], "HALTED")


def test_an_act_that_the_exchange_refuses_is_told_and_the_plan_goes_on():
    async def scenario(client):
        await asyncio.sleep(3)
        return (await client.control("GET", "state"))["plan"]

    planned = plan(
        at(1_000, act="close", **{"with": {"account": "long", "symbol": SYMBOL}}),
        at(2_000, act="positions", **{"with": LONG}),
    )
    state = run(scenario, plan=planned)
    assert state["done"] == 2
    (refused,) = state["refused"]
    assert refused.startswith("item 1: reduce_only")


def test_items_of_one_instant_happen_in_their_order():
    async def scenario(client):
        await asyncio.sleep(2)
        return (await client.control("GET", "state"))["plan"]["refused"]

    close = {"account": "long", "symbol": SYMBOL}
    pairs = [
        at(1_000, act="positions", **{"with": LONG}),
        at(1_000, act="close", **{"with": close}),
    ]
    assert run(scenario, plan=plan(*pairs * 20)) == []


def test_a_request_brings_a_plan_that_counts_from_it():
    async def scenario(client):
        await asyncio.sleep(30)
        items = [fault(1_000, "unavailable", for_ms=1_000)]
        answer = await client.control("POST", "plan", {"seed": 3, "items": items})
        seen = []
        for _ in range(3):
            await client.call("GET", TIME, signed=False)
            seen.append(client.status)
            await asyncio.sleep(1)
        wrong = await client.control("POST", "plan", {"items": [fault(0, "lightning")]})
        return answer, seen, client.status, wrong["error"]

    answer, seen, status, error = run(scenario, latency_ms=0)
    assert (answer, seen, status) == ({"items": 1}, [200, 503, 200], 400)
    assert error.startswith("plan: item 1: ")


def test_the_same_plan_gives_the_same_run_and_another_seed_another_one():
    planned = [
        fault(2_000, "missing", stream="market", share=0.4),
        fault(3_000, "reordered", stream="public", delay_ms=3_000),
        fault(4_000, "unknown", path=POSITIONS, share=0.5, executed=True),
        at(5_000, act="positions", **{"with": LONG}),
        fault(6_000, "clock_skew", delay_ms=700, drift_ppm=300),
        fault(9_000, "cut", stream="public", for_ms=2_000),
    ]

    async def scenario(client):
        trades = await client.socket("/market/ws/btcusdt@aggTrade")
        book = await client.socket("/public/ws/btcusdt@bookTicker")
        heard = []

        async def listen(socket):
            while True:
                heard.append((await socket.receive_str(), client.now_ms))

        listening = [asyncio.ensure_future(listen(socket)) for socket in (trades, book)]
        for _ in range(20):
            heard.append(await client.call("GET", POSITIONS))
            await asyncio.sleep(1)
        for task in listening:
            task.cancel()
        return heard

    def played(seed):
        chosen = plan(*planned, seed=seed)
        return run(scenario, tapes=[tape(range(100, 160), every_s=1)], plan=chosen)

    assert played(7) == played(7)
    assert played(7) != played(8)


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([fault(0, "cut"), fault(0, "lightning")], "item 2: Invalid enum value 'lightning'"),
        ([fault(0, "tamper")], "item 1: tamper: give the field that is changed"),
        ([fault(0, "cut", for_ms=5, until_ms=5)], "item 1: give for_ms or until_ms, not both"),
        ([at(-1, clear="all")], "item 1: after_ms is below zero"),
        ([at(0)], "item 1: give one of fault, act, clear, not none"),
        ([at(0, clear="all", act="halt")], "item 1: give one of fault, act, clear, not act and"),
        ([at(0, act="explode")], "item 1: there is no act 'explode'; known are"),
        ([at(0, act="halt")], "item 1: Object missing required field `symbol`"),
        ([fault(0, "cut"), at(0, clear=2)], "item 2: clear names item 2"),
        ([fault(0, "cut"), at(0, clear="both")], "item 2:"),
        ([at(0, clear="all", **{"with": {"symbol": SYMBOL}})], "item 1: `with` belongs to an act"),
        ([at(0, when=5, clear="all")], "item 1: Object contains unknown field `when`"),
    ],
)
def test_a_wrong_plan_is_refused_in_one_line_with_the_items_number(items, says):
    with pytest.raises(ConfigError) as refused:
        plan(*items)
    text = str(refused.value)
    assert text.startswith(f"plan: {says}")
    assert "\n" not in text


def test_a_file_that_is_no_plan_is_named(tmp_path):
    path = tmp_path / "plan.json"
    with pytest.raises(ConfigError, match=r"plan\.json: No such file"):
        read_plan(path)
    path.write_text("[]")
    with pytest.raises(ConfigError, match=r"plan\.json: Expected `object`"):
        read_plan(path)
    path.write_text('{"items": [{"after_ms": 1, "clear": "all"}]}')
    assert len(read_plan(path).items) == 1


@pytest.mark.parametrize("command", ["paper", "demo"])
def test_a_wrong_plan_ends_the_command_before_anything_begins(command, tmp_path, capsys):
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"items": [fault(0, "cut"), fault(0, "late")]}))
    assert main([command, "--faults", str(path)]) == CONFIGURATION
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.strip().splitlines() == [
        f"trailstop: {path}: item 2: late: give delay_ms, how late messages come"
    ]
