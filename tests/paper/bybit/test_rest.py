"""What a client sees of the REST endpoints, through real requests in virtual time."""

from __future__ import annotations

import pytest

from tests.paper.bybit.stream_fixtures import keys_of
from tests.paper.bybit.support import run
from tests.paper.server.support import START_US, SYMBOL, market, tape
from trailstop.paper.prices.tape import Print, Tape
from trailstop.paper.settings import WorldSettings

ROW = "result.list.0"
# Fields of old recordings, or of other categories, that today's page of the endpoint lacks.
GONE = {
    "market/tickers": {"bidPrice", "askPrice", "lastTickDirection"},
}
SHAPES = [
    ("market/tickers", {"symbol": SYMBOL}, "cx--fetch-ticker-1"),
    ("market/recent-trade", {"symbol": SYMBOL}, "nt--http-get-trades-recent"),
    ("market/instruments-info", {}, "nt--http-get-instruments-linear"),
    ("position/list", {"symbol": SYMBOL}, "nt--http-get-positions"),
    ("position/list", {"symbol": SYMBOL}, "cx--fetch-positions-adl-rank-1"),
    ("order/realtime", {"symbol": SYMBOL}, "nt--http-get-orders-realtime"),
    ("order/history", {"symbol": SYMBOL}, "cx--fetch-canceled-and-closed-orders-1"),
    ("execution/list", {"symbol": SYMBOL}, "cx--fetch-my-trades-1"),
    ("position/closed-pnl", {"symbol": SYMBOL}, "cx--fetch-positions-history-1"),
    ("account/transaction-log", {}, "cx--fetch-ledger-2-v5-transaction-log"),
    ("account/fee-rate", {}, "nt--http-get-fee-rate"),
    (
        "account/wallet-balance",
        {"accountType": "UNIFIED"},
        "cxt--unified-wallet-usdt-and-btc-rows-kept",
    ),
]


@pytest.mark.parametrize(("path", "params", "recorded"), SHAPES)
def test_rows_have_every_field_that_the_real_exchange_sends(path, params, recorded):
    keys = keys_of(f"rest-response/{recorded}", ROW)

    async def scenario(bybit):
        await bybit.open("0.200")
        await bybit.create(qty="0.1")
        await bybit.stop()
        await bybit.settle()
        return await bybit.rows(path, **params)

    rows = run(scenario)
    assert rows
    assert keys.missing(rows[0]) - GONE.get(path, set()) == set()


@pytest.mark.parametrize(
    ("path", "params", "recorded"),
    [
        ("market/orderbook", {"symbol": SYMBOL}, "nt--http-get-orderbook"),
        ("account/info", {}, "nt--http-get-account-info"),
        ("market/time", {}, "cx--fetch-time-1"),
        ("market/kline", {"symbol": SYMBOL, "interval": "1"}, "cx--fetch-ohlcv-1"),
    ],
)
def test_answers_without_rows_have_their_fields(path, params, recorded):
    keys = keys_of(f"rest-response/{recorded}")

    async def scenario(bybit):
        return await bybit.get(path, **params)

    assert keys.missing(run(scenario)) == set()


def test_an_answer_is_an_envelope_with_the_servers_time():
    async def scenario(bybit):
        answer = await bybit.get("market/time", signed=False)
        return answer, bybit.status

    answer, status = run(scenario)
    assert status == 200
    assert (answer["retCode"], answer["retMsg"], answer["retExtInfo"]) == (0, "OK", {})
    assert answer["time"] == int(answer["result"]["timeNano"]) // 1_000_000


def test_a_path_that_does_not_exist_is_a_page_404():
    async def scenario(bybit):
        return await bybit.get("order/spot-borrow-check"), bybit.status

    answer, status = run(scenario)
    assert status == 404
    assert isinstance(answer, str)


@pytest.mark.parametrize("category", ["spot", "inverse", "option", ""])
def test_other_categories_are_refused_in_words(category):
    async def scenario(bybit):
        return await bybit.get("market/tickers", signed=False, category=category)

    answer = run(scenario)
    assert answer["retCode"] == 10001
    assert "category" in answer["retMsg"]


def test_candles_come_newest_first_and_the_mark_has_no_volume():
    async def scenario(bybit):
        await bybit.client.control("POST", "time", {"advance_ms": 190_000})
        params = {"symbol": SYMBOL, "interval": "1", "limit": 3}
        return await bybit.rows("market/kline", **params), await bybit.rows(
            "market/mark-price-kline", **params
        )

    last, mark = run(scenario, [100, 101, 102, 103] * 20)
    starts = [int(row[0]) for row in last]
    assert starts == sorted(starts, reverse=True)
    assert len(last) == 3
    assert {len(row) for row in last} == {7}
    assert {len(row) for row in mark} == {5}


def test_the_price_limit_follows_the_mark():
    async def scenario(bybit):
        answer = await bybit.get("market/price-limit", symbol=SYMBOL)
        refused = await bybit.create(side="Buy", orderType="Limit", price="101.1", reduceOnly=None)
        return answer["result"], refused["retCode"]

    result, refused = run(scenario)
    assert (result["buyLmt"], result["sellLmt"]) == ("101.0", "99.0")
    assert refused == 110003


def test_instruments_come_in_pages():
    symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    tapes = [tape([100] * 20, symbol=symbol) for symbol in symbols]

    async def scenario(bybit):
        seen, cursor, pages = [], "", 0
        while True:
            params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            result = (await bybit.get("market/instruments-info", **params))["result"]
            seen += [row["symbol"] for row in result["list"]]
            pages += 1
            cursor = result["nextPageCursor"]
            if not cursor:
                return seen, pages

    assert run(scenario, tapes=tapes) == (symbols, 2)


def test_positions_by_symbol_are_flat_too_and_by_coin_only_open():
    tapes = [tape([100] * 40, symbol=symbol) for symbol in (SYMBOL, "ETHUSDT")]

    async def scenario(bybit):
        flat = await bybit.rows("position/list", symbol=SYMBOL)
        none = await bybit.rows("position/list", settleCoin="USDT")
        await bybit.open()
        held = await bybit.rows("position/list", settleCoin="USDT")
        neither = await bybit.get("position/list")
        return flat, none, held, neither["retCode"]

    flat, none, held, neither = run(scenario, tapes=tapes)
    assert [(row["side"], row["size"], row["openTime"]) for row in flat] == [("", "0", 0)]
    assert none == []
    assert [(row["symbol"], row["side"], row["size"]) for row in held] == [(SYMBOL, "Buy", "0.1")]
    assert neither == 10001


def test_positions_come_in_pages():
    tapes = [tape([100] * 40, symbol=symbol) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")]

    async def scenario(bybit):
        for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
            wish = {"account": "long", "symbol": symbol, "side": "long", "quantity": "0.1"}
            await bybit.client.control("POST", "positions", wish)
        first = (await bybit.get("position/list", settleCoin="USDT", limit=2))["result"]
        # Both ways in which clients send a cursor back: quoted once more, and as it is.
        quoted = await bybit.rows(
            "position/list", settleCoin="USDT", limit=2, cursor=first["nextPageCursor"]
        )
        query = f"category=linear&settleCoin=USDT&limit=2&cursor={first['nextPageCursor']}"
        raw = await bybit.send("GET", "/v5/position/list", query)
        return first["list"], quoted, raw["result"]["list"]

    first, quoted, raw = run(scenario, tapes=tapes)
    assert [row["symbol"] for row in first] == ["BTCUSDT", "ETHUSDT"]
    assert [row["symbol"] for row in quoted] == ["SOLUSDT"]
    # Apart from `seq`, which tells when a row was read.
    assert [row | {"seq": 0} for row in quoted] == [row | {"seq": 0} for row in raw]


def test_a_positions_money_is_that_of_the_page():
    async def scenario(bybit):
        await bybit.open("1.000")
        return await bybit.position()

    row = run(scenario)
    entry, fee = 100.2, 100.2 * 0.0005
    assert float(row["avgPrice"]) == entry
    assert float(row["curRealisedPnl"]) == pytest.approx(-fee)
    assert float(row["breakEvenPrice"]) == pytest.approx((entry + fee) / (1 - 0.00055))
    assert (row["positionIdx"], row["positionStatus"], row["liqPrice"]) == (0, "Normal", "")
    assert row["openTime"] == int(row["createdTime"]) >= START_US // 1000


def test_the_wallet_is_the_accounts():
    async def scenario(bybit):
        await bybit.open("1.000")
        other = await bybit.get("account/wallet-balance", accountType="SPOT")
        return (await bybit.rows("account/wallet-balance", accountType="UNIFIED"))[0], other

    wallet, other = run(scenario)
    assert wallet["totalWalletBalance"] == "99999.9499"
    assert wallet["coin"][0]["coin"] == "USDT"
    assert wallet["coin"][0]["unrealisedPnl"] == "-0.2"
    assert other["retCode"] == 10001


def test_funding_is_an_execution_of_its_own_and_a_line_of_the_ledger():
    hour_us = 3_600_000_000
    points = [
        Print(
            START_US + index * hour_us // 2, market().tick_size * 1000, market().min_quantity, False
        )
        for index in range(8)
    ]

    async def scenario(bybit):
        await bybit.open("1.000")
        await bybit.client.control("POST", "time", {"advance_ms": 7_000_000})
        paid = await bybit.rows("execution/list", symbol=SYMBOL, execType="Funding")
        ledger = await bybit.rows("account/transaction-log", type="SETTLEMENT")
        trades = await bybit.rows("execution/list", symbol=SYMBOL, execType="Trade")
        return paid, ledger, trades, await bybit.position()

    paid, ledger, trades, row = run(scenario, tapes=[Tape(market(), iter(points), "hours")])
    assert [(part["execFee"], part["execQty"], part["side"]) for part in paid] == [
        ("0.01", "1.000", "Buy")
    ]
    assert [(line["funding"], line["change"]) for line in ledger] == [("-0.01", "-0.01")]
    assert len(trades) == 1
    assert float(row["curRealisedPnl"]) == pytest.approx(-0.0501 - 0.01)


def test_executions_carry_cause_closed_part_and_result_and_come_in_pages():
    async def scenario(bybit):
        await bybit.open("0.300")
        await bybit.create(qty="0.1", orderLinkId="part")
        await bybit.settle()
        await bybit.trading_stop(stopLoss="95")
        await bybit.price("94")
        first = (await bybit.get("execution/list", symbol=SYMBOL, limit=2))["result"]
        rest = await bybit.rows(
            "execution/list", symbol=SYMBOL, limit=2, cursor=first["nextPageCursor"]
        )
        named = await bybit.rows("execution/list", symbol=SYMBOL, orderLinkId="part")
        results = await bybit.rows("position/closed-pnl", symbol=SYMBOL)
        return first["list"] + rest, named, results

    rows, named, results = run(scenario)
    assert [
        (row["side"], row["closedSize"], row["stopOrderType"], row["createType"]) for row in rows
    ] == [
        ("Sell", "0.2", "StopLoss", "CreateByStopLoss"),
        ("Sell", "0.1", "UNKNOWN", "CreateByUser"),
        ("Buy", "0", "UNKNOWN", "CreateByUser"),
    ]
    assert [row["execType"] for row in rows] == ["Trade"] * 3
    assert rows[0]["seq"] > rows[1]["seq"] > rows[2]["seq"]
    assert [row["orderLinkId"] for row in named] == ["part"]
    newest = results[0]
    entry, leave = float(newest["avgEntryPrice"]), float(newest["avgExitPrice"])
    fees = float(newest["openFee"]) + float(newest["closeFee"])
    assert float(newest["closedPnl"]) == pytest.approx((leave - entry) * 0.2 - fees, abs=1e-6)
    assert len(results) == 2


@pytest.mark.parametrize("path", ["execution/list", "order/history", "position/closed-pnl"])
def test_a_question_spans_seven_days_at_most(path):
    async def scenario(bybit):
        week_ms = 7 * 86_400_000
        return await bybit.get(
            path, symbol=SYMBOL, startTime=bybit.now_ms - week_ms - 2, endTime=bybit.now_ms
        )

    assert run(scenario)["retCode"] == 10001


def test_leverage_and_mode_are_set_once():
    async def scenario(bybit):
        codes = []
        for leverage in ("10", "10", "51"):
            answer = await bybit.post(
                "position/set-leverage", buyLeverage=leverage, sellLeverage=leverage
            )
            codes.append(answer["retCode"])
        row = await bybit.position()
        for mode in (3, 3, 0, 0):
            answer = await bybit.post("position/switch-mode", mode=mode)
            codes.append(answer["retCode"])
        await bybit.open()
        codes.append((await bybit.post("position/switch-mode", mode=3))["retCode"])
        return codes, row["leverage"]

    codes, leverage = run(scenario)
    assert codes == [0, 110043, 10001, 0, 110025, 0, 110025, 110024]
    assert leverage == "10"


def test_a_mode_is_not_switched_under_resting_orders():
    async def scenario(bybit):
        await bybit.create(side="Buy", orderType="Limit", price="90", reduceOnly=None)
        await bybit.settle()
        return await bybit.post("position/switch-mode", mode=3)

    assert run(scenario)["retCode"] == 110028


def test_margin_is_cross_and_stays_so():
    async def scenario(bybit):
        modes = ("REGULAR_MARGIN", "ISOLATED_MARGIN")
        return [
            (await bybit.post("account/set-margin-mode", setMarginMode=mode))["retCode"]
            for mode in modes
        ]

    assert run(scenario) == [0, 3400045]


def test_the_key_tells_of_a_unified_account():
    async def scenario(bybit):
        return (await bybit.get("account/info"))["result"], (await bybit.get("user/query-api"))[
            "result"
        ]

    info, key = run(scenario)
    assert (info["unifiedMarginStatus"], info["marginMode"]) == (6, "REGULAR_MARGIN")
    assert key["permissions"]["ContractTrade"] == ["Order", "Position"]


def test_accounts_see_only_their_own():
    async def scenario(bybit):
        await bybit.open()
        await bybit.trading_stop(stopLoss="95")
        other = type(bybit)(bybit.client, "short")
        return await other.orders(), await other.position()

    orders, row = run(scenario, world=WorldSettings())
    assert orders == []
    assert row["size"] == "0"
