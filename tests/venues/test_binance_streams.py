"""What the account stream's frames lead to: against a scripted server, in virtual time."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

from tests.venues.scripted import Scripted, error, play_venue
from trailstop.domain.position import Leg
from trailstop.ports import LastPrice, PositionReport, StreamState
from trailstop.venues.binance.venue import BinanceVenue

FLAT = {
    "e": "ACCOUNT_UPDATE",
    "T": 5,
    "E": 6,
    "a": {"m": "ORDER", "B": [], "P": [{"s": "BTCUSDT", "pa": "0", "ep": "0", "ps": "BOTH"}]},
}


async def heard(venue: BinanceVenue, seconds: float) -> list:
    """What the venue tells within so much virtual time."""
    told: list = []
    take = told.append

    async def listen() -> None:
        async for event in venue.events():
            take(event)

    listener = asyncio.create_task(listen())
    await asyncio.sleep(seconds)
    listener.cancel()
    return told


def states(told: list) -> list[bool]:
    return [event.up for event in told if isinstance(event, StreamState)]


def test_an_unreadable_account_frame_asks_for_a_full_pass_on_the_same_socket():
    async def scenario(scripted: Scripted, venue: BinanceVenue):
        await scripted.sockets[0].send_str('{"e":"ACCOUNT_UPDATE","a":{"P":[{"s"')
        await scripted.sockets[0].send_str(json.dumps(FLAT))
        return await heard(venue, 1), len(scripted.sockets)

    told, sockets = play_venue(scenario)
    assert states(told) == [True, False, True]
    assert told[-1] == PositionReport(
        Leg("main", "binance", "BTCUSDT"), Decimal(0), Decimal(0), "order", 5
    )
    assert sockets == 1


def test_an_expired_listen_key_leads_to_a_new_socket_with_a_new_key():
    async def scenario(scripted: Scripted, venue: BinanceVenue):
        expired = {"e": "listenKeyExpired", "E": 1, "listenKey": "pqia91ma19a5"}
        await scripted.sockets[0].send_str(json.dumps(expired))
        told = await heard(venue, 5)
        return told, len(scripted.sockets), scripted.count("POST /fapi/v1/listenKey")

    told, sockets, keys = play_venue(scenario)
    assert states(told) == [True, False, True]
    assert (sockets, keys) == (2, 2)


def test_a_dead_listen_key_is_noticed_at_the_keep_alive():
    async def scenario(scripted: Scripted, venue: BinanceVenue):
        scripted.answers["PUT /fapi/v1/listenKey"] = [error(-1125, "no such key"), {}]
        return await heard(venue, 21 * 60), len(scripted.sockets)

    told, sockets = play_venue(scenario)
    assert states(told) == [True, False, True]
    assert sockets == 2


def test_each_kind_of_stream_is_asked_for_on_its_own_path():
    async def scenario(scripted: Scripted, venue: BinanceVenue):
        venue.watch(frozenset({"BTCUSDT"}))
        await asyncio.sleep(1)
        venue.watch(frozenset({"ETHUSDT"}))
        await asyncio.sleep(1)
        return scripted

    scripted = play_venue(scenario)
    assert scripted.socket_paths == ["/private/ws", "/public/ws", "/market/ws"]
    asked = [(command["method"], tuple(command["params"])) for command in scripted.told]
    assert asked[:2] == [
        ("SUBSCRIBE", ("btcusdt@bookTicker",)),
        ("SUBSCRIBE", ("!contractInfo", "btcusdt@aggTrade", "btcusdt@markPrice@1s")),
    ]
    assert ("UNSUBSCRIBE", ("btcusdt@bookTicker",)) in asked
    assert ("SUBSCRIBE", ("ethusdt@aggTrade", "ethusdt@markPrice@1s")) in asked


def test_a_strange_price_frame_does_not_stop_the_next_one():
    async def scenario(scripted: Scripted, venue: BinanceVenue):
        venue.watch(frozenset({"BTCUSDT"}))
        await asyncio.sleep(1)
        market = scripted.sockets[scripted.socket_paths.index("/market/ws")]
        await market.send_str('{"e":"aggTrade","s":"BTCUSDT","p":"abc","a":1,"T":1}')
        await market.send_str('{"e":"aggTrade","s":"BTCUSDT","p":"7","a":2,"T":2}')
        return await heard(venue, 1)

    prices = [event for event in play_venue(scenario) if isinstance(event, LastPrice)]
    assert prices == [LastPrice("BTCUSDT", Decimal(7), 2, 2)]


def test_connects_that_fail_become_rarer_and_stay_bounded():
    async def scenario(scripted: Scripted, venue: BinanceVenue):
        scripted.answers["POST /fapi/v1/listenKey"] = [(500, "")]
        await scripted.sockets[0].close()
        await asyncio.sleep(300)
        return scripted.count("POST /fapi/v1/listenKey")

    assert 20 <= play_venue(scenario) <= 60


def test_sockets_that_are_cut_at_once_do_not_lead_to_a_storm():
    async def scenario(scripted: Scripted, venue: BinanceVenue):
        for _ in range(3_000):
            await asyncio.sleep(0.1)
            for socket in scripted.sockets:
                await socket.close()
        return len(scripted.sockets)

    assert 20 <= play_venue(scenario) <= 60
