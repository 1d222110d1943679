"""The account as a whole: balances, fees, settings, the key itself."""

from __future__ import annotations

from trailstop.paper.bybit import wire_account as wire
from trailstop.paper.bybit.errors import ApiError, bad
from trailstop.paper.bybit.routes import Answer, Call, Route
from trailstop.paper.bybit.spelling import plain

UNIFIED = "UNIFIED"
CROSS = "REGULAR_MARGIN"
MARGIN_MODE_REFUSED = 3400045
UNIFIED_2_PRO = 6
"""Page "Get Account Info", unifiedMarginStatus: a unified account 2.0."""


def wallet_balance(call: Call) -> Answer:
    """Page "Get Wallet Balance"."""
    kind = call.params.required("accountType")
    if kind != UNIFIED:
        raise bad(f"accountType only support {UNIFIED}.")
    return Answer({"list": [wire.wallet_row(call.world, call.account)]})


def fee_rate(call: Call) -> Answer:
    """Page "Get Fee Rate"."""
    call.params.check_category()
    rows = [
        {
            "symbol": market.symbol,
            "baseCoin": "",
            "takerFeeRate": plain(call.account.taker_fee),
            "makerFeeRate": plain(call.account.maker_fee),
        }
        for market in call.markets()
    ]
    return Answer({"list": rows})


def account_info(call: Call) -> Answer:
    """Page "Get Account Info": the same for every account."""
    del call
    return Answer(
        {
            "marginMode": CROSS,
            "updatedTime": "0",
            "unifiedMarginStatus": UNIFIED_2_PRO,
            "dcpStatus": "OFF",
            "timeWindow": 10,
            "smpGroup": 0,
            "isMasterTrader": False,
            "spotHedgingStatus": "OFF",
        }
    )


def set_margin_mode(call: Call) -> Answer:
    """Page "Set Margin Mode": cross margin only, which every account has already."""
    mode = call.params.required("setMarginMode")
    if mode != CROSS:
        raise ApiError(MARGIN_MODE_REFUSED, f"this paper exchange knows {CROSS} only")
    return Answer({"reasons": []}, text="Request accepted")


def key_info(call: Call) -> Answer:
    """Page "Get API Key Information"."""
    return Answer(
        {
            "id": "1",
            "note": call.account.name,
            "apiKey": call.key,
            "readOnly": 0 if call.account.trades else 1,
            "secret": "",
            "permissions": {
                "ContractTrade": ["Order", "Position"],
                "Spot": [],
                "Wallet": ["AccountTransfer", "Withdraw"] if call.account.withdraws else [],
                "Options": [],
                "Derivatives": ["DerivativesTrade"],
                "Exchange": [],
            },
            "ips": ["*"],
            "type": 1,
            "deadlineDay": 90,
            "expiredAt": "",
            "createdAt": "",
            "unified": 0,
            "uta": 1,
            "userID": 1,
            "inviterID": 0,
            "vipLevel": "No VIP",
            "mktMakerLevel": "0",
            "affiliateID": 0,
            "isMaster": True,
            "parentUid": "0",
        }
    )


ROUTES = (
    Route("GET", "/v5/account/wallet-balance", wallet_balance, lambda limits: limits.reads),
    Route("GET", "/v5/account/fee-rate", fee_rate, lambda limits: limits.fee_rate),
    Route("GET", "/v5/account/info", account_info, lambda limits: limits.reads),
    Route("POST", "/v5/account/set-margin-mode", set_margin_mode, lambda limits: limits.positions),
    Route("GET", "/v5/user/query-api", key_info, lambda limits: limits.query_api),
)
