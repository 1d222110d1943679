"""People and a second bot on the guard's accounts, drawn from the seed.

The bot keeps reduce-only stops, take-profits and limit orders of its own on the same legs, adds
to positions and closes parts of them. People set tighter stops and take-profits, loosen or
remove the position's stop, cancel stops of the guard, change the leverage, close by hand and
turn positions round.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from benchmarks.crash.processes import Declined, ExchangeProcess
from benchmarks.crash.scenario import Scenario
from benchmarks.crash.scene import BOT_PREFIX, MILLION, Scene, scene_of
from benchmarks.crash.truth import STOP_LOSS, is_guards, legs_of
from benchmarks.crash.wire import Wire

MOST_ORDERS = 4
"""Resting orders of the bot on one leg; then it takes one back instead."""
MOST_NOTIONAL = Decimal(5_000)
"""No position is added to beyond this."""
LEVERAGES = (3, 4, 5, 6, 8)
STOP_PPM = (1_500, 40_000)
"""Distance of others' stops behind the price, millionths: some tighter than ours, some not."""
TIGHTER_PPM = (1_000, 4_000)
LOOSER_PPM = (5_000, 40_000)
PROFIT_PPM = (20_000, 80_000)
TRAILING_PPM = (15_000, 40_000)
PARTS = (Decimal("0.3"), Decimal("0.5"))
WHOLE = Decimal(1)
CLOSES, FLIPS = "a person closes", "a person turns the position round"
ENDING = (CLOSES, FLIPS)
OFTEN = 3
"""What lets a position live is done more often than what ends it."""


@dataclass(frozen=True)
class Act:
    """One thing that somebody did."""

    name: str
    account: str
    symbol: str
    position_side: str
    at_us: int
    worsens: bool
    """Whether less may be protected until the guard has acted."""


class Others:
    """Everybody but the guard."""

    def __init__(self, exchange: ExchangeProcess, scenario: Scenario, chance: Random) -> None:
        self.acts: list[Act] = []
        self.done: Counter[str] = Counter()
        self.ended_by_bot = 0
        """Orders of its own that the bot has cancelled or changed over the wire."""
        self._exchange = exchange
        self._scenario = scenario
        self._chance = chance
        self._wire = Wire(exchange)
        self._named = 0
        self._on_wire = True
        self._menu = self._draw_menu()

    def act(self, *, wire: bool) -> None:
        """Do one thing on one of the open positions; what the exchange declines changes nothing.

        Without `wire` no request is sent over the exchange's protocol: time may stand still.
        """
        state = self._exchange.state()
        legs = legs_of(state)
        if not legs:
            return
        scene = scene_of(self._chance.choice(legs), state)
        name, (deed, worsens) = self._chance.choice(self._menu)
        self._on_wire = wire
        before_us = state["now_us"]
        try:
            done = deed(scene)
        except Declined:
            self.done["declined"] += 1
            return
        self.done[name if done else "nothing to do"] += 1
        if done:
            account, symbol, _ = scene.leg.leg
            side = scene.leg.position_side
            self.acts.append(Act(name, account, symbol, side, before_us, worsens))

    def _draw_menu(self) -> list[tuple[str, tuple[Callable[[Scene], bool], bool]]]:
        menu: dict[str, tuple[Callable[[Scene], bool], bool]] = {
            "the bot places a stop": (self._bot_stop, False),
            "the bot places a take-profit": (self._bot_profit, False),
            "the bot places a limit order": (self._bot_limit, False),
            "the bot takes an order back": (self._bot_withdraws, True),
            "the bot adds": (self._add, True),
            "the bot closes a part": (self._reduce, False),
            "a person changes the leverage": (self._leverage, False),
            CLOSES: (self._close, False),
        }
        if self._scenario.one_stop:
            menu |= {
                "a person tightens the stop": (self._tighten, False),
                "a person loosens the stop": (self._loosen, True),
                "a person removes the stop": (self._remove, True),
                "a person sets a take-profit": (self._slot_profit, False),
                "a person sets a trailing stop": (self._slot_trailing, False),
            }
        else:
            menu |= {
                "a person places a tighter stop": (self._tighter_beside, False),
                "a person places a backstop": (self._backstop_beside, False),
                "a person cancels our stop": (self._cancel_ours, True),
            }
        if not self._scenario.hedge:
            menu[FLIPS] = (self._flip, True)
        return [row for row in menu.items() for _ in range(1 if row[0] in ENDING else OFTEN)]

    # --- the second bot --------------------------------------------------------------------
    def _bot_stop(self, scene: Scene) -> bool:
        return self._bot_conditional(scene, "STOP_MARKET", scene.behind(self._ppm(STOP_PPM)))

    def _bot_profit(self, scene: Scene) -> bool:
        price = scene.ahead(self._ppm(PROFIT_PPM))
        return self._bot_conditional(scene, "TAKE_PROFIT_MARKET", price)

    def _bot_conditional(self, scene: Scene, kind: str, price: str) -> bool:
        if len(scene.bots) + len(scene.limits) >= MOST_ORDERS:
            return self._bot_withdraws(scene)
        size = scene.size(self._chance.choice((*PARTS, WHOLE)))
        if self._on_wire:
            return self._wire_conditional(scene, kind, price, size)
        self._control(
            "stop/place",
            scene,
            side=scene.closing,
            type=kind,
            quantity=size,
            trigger_price=price,
            reduce_only=not self._scenario.hedge,
            client_id=self._name(),
            author="client",
        )
        return True

    def _wire_conditional(self, scene: Scene, kind: str, price: str, size: str) -> bool:
        account = scene.leg.leg.account
        if self._scenario.one_stop:
            rises = (kind == "STOP_MARKET") == (scene.closing == "BUY")
            body = self._bybit_order(scene, size) | {
                "orderType": "Market",
                "triggerPrice": price,
                "triggerDirection": 1 if rises else 2,
            }
            return self._wire.ask(account, "POST", "/v5/order/create", body)
        params = self._binance_order(scene, size) | {
            "algoType": "CONDITIONAL",
            "type": kind,
            "triggerPrice": price,
            "clientAlgoId": self._name(),
        }
        return self._wire.ask(account, "POST", "/fapi/v1/algoOrder", params)

    def _bot_limit(self, scene: Scene) -> bool:
        if len(scene.bots) + len(scene.limits) >= MOST_ORDERS:
            return self._bot_withdraws(scene)
        size, price = scene.size(self._chance.choice(PARTS)), scene.ahead(self._ppm(PROFIT_PPM))
        account = scene.leg.leg.account
        if not self._on_wire:
            order = {"type": "LIMIT", "price": price}
            self._order(scene, size, reduce_only=not self._scenario.hedge, **order)
            return True
        if self._scenario.one_stop:
            body = self._bybit_order(scene, size) | {"orderType": "Limit", "price": price}
            return self._wire.ask(account, "POST", "/v5/order/create", body)
        params = self._binance_order(scene, size) | {
            "type": "LIMIT",
            "timeInForce": "GTC",
            "price": price,
            "newClientOrderId": self._name(),
        }
        return self._wire.ask(account, "POST", "/fapi/v1/order", params)

    def _bot_withdraws(self, scene: Scene) -> bool:
        """Take back a stop by hand, which the exchange knows to be a person's, others by wire."""
        stops = [row for row in scene.bots if row["type"] == "STOP_MARKET"]
        if stops and (not self._on_wire or self._chance.randrange(2)):
            self._cancel(scene, self._chance.choice(stops))
            return True
        rest = [row for row in scene.bots if row not in stops]
        if not self._on_wire or not (rest or scene.limits):
            return False
        conditional = bool(rest) and (not scene.limits or bool(self._chance.randrange(2)))
        row = self._chance.choice(rest if conditional else scene.limits)
        account, symbol, _ = scene.leg.leg
        if self._scenario.one_stop:
            body = {"symbol": symbol, "orderLinkId": row["client_id"]}
            change = conditional and bool(self._chance.randrange(2))
            if change:
                body["triggerPrice"] = scene.ahead(self._ppm(PROFIT_PPM))
            path = "/v5/order/amend" if change else "/v5/order/cancel"
            done = self._wire.ask(account, "POST", path, body)
        elif conditional:
            params = {"clientAlgoId": row["client_id"]}
            done = self._wire.ask(account, "DELETE", "/fapi/v1/algoOrder", params)
        else:
            params = {"symbol": symbol, "origClientOrderId": row["client_id"]}
            done = self._wire.ask(account, "DELETE", "/fapi/v1/order", params)
        self.ended_by_bot += done
        return done

    def _add(self, scene: Scene) -> bool:
        if scene.leg.size * scene.last > MOST_NOTIONAL:
            return self._reduce(scene)
        self._exchange.open(scene.leg.leg, scene.size(self._chance.choice(PARTS)))
        return True

    def _reduce(self, scene: Scene) -> bool:
        size = scene.size(self._chance.choice(PARTS))
        self._order(scene, size, type="MARKET", reduce_only=not self._scenario.hedge)
        return True

    # --- people ----------------------------------------------------------------------------
    def _close(self, scene: Scene) -> bool:
        self._exchange.close(scene.leg.leg)
        return True

    def _flip(self, scene: Scene) -> bool:
        self._order(scene, scene.size(WHOLE + WHOLE), type="MARKET", reduce_only=False)
        return True

    def _leverage(self, scene: Scene) -> bool:
        if not self._on_wire:
            return False
        account, symbol, _ = scene.leg.leg
        leverage = self._chance.choice(LEVERAGES)
        if self._scenario.one_stop:
            both = {"buyLeverage": str(leverage), "sellLeverage": str(leverage)}
            path = "/v5/position/set-leverage"
            return self._wire.ask(account, "POST", path, {"symbol": symbol} | both)
        params = {"symbol": symbol, "leverage": leverage}
        return self._wire.ask(account, "POST", "/fapi/v1/leverage", params)

    def _tighten(self, scene: Scene) -> bool:
        price = Decimal(scene.behind(self._ppm(TIGHTER_PPM)))
        held = self._slot(scene)
        if held is not None and not scene.leg.is_looser(held, price):
            return False
        self._control("position_stop", scene, stop_loss=format(price, "f"))
        return True

    def _loosen(self, scene: Scene) -> bool:
        price = Decimal(scene.behind(self._ppm(LOOSER_PPM)))
        held = self._slot(scene)
        if held is None or not scene.leg.is_looser(price, held):
            return False
        self._control("position_stop", scene, stop_loss=format(price, "f"))
        return True

    def _remove(self, scene: Scene) -> bool:
        if self._slot(scene) is None:
            return False
        self._control("position_stop", scene, stop_loss="0")
        return True

    def _slot_profit(self, scene: Scene) -> bool:
        self._control("position_stop", scene, take_profit=scene.ahead(self._ppm(PROFIT_PPM)))
        return True

    def _slot_trailing(self, scene: Scene) -> bool:
        distance = scene.last * self._ppm(TRAILING_PPM) / MILLION // scene.tick * scene.tick
        self._control("position_stop", scene, trailing_distance=format(distance, "f"))
        return True

    def _tighter_beside(self, scene: Scene) -> bool:
        self._control(
            "stop/place",
            scene,
            side=scene.closing,
            type="STOP_MARKET",
            quantity=scene.size(WHOLE),
            trigger_price=scene.behind(self._ppm(TIGHTER_PPM)),
            reduce_only=not self._scenario.hedge,
            client_id=self._name(),
        )
        return True

    def _backstop_beside(self, scene: Scene) -> bool:
        """Declined where one rests already: there is one slot for stops that close everything."""
        self._control(
            "stop/place",
            scene,
            side=scene.closing,
            type="STOP_MARKET",
            close_position=True,
            trigger_price=scene.behind(self._ppm(LOOSER_PPM)),
            client_id=self._name(),
        )
        return True

    def _cancel_ours(self, scene: Scene) -> bool:
        ours = [row for row in scene.orders if is_guards(row)]
        if not ours:
            return False
        self._cancel(scene, self._chance.choice(ours))
        return True

    # --- how -------------------------------------------------------------------------------
    def _slot(self, scene: Scene) -> Decimal | None:
        found = (row for row in scene.orders if row["slot"] == STOP_LOSS)
        return next((Decimal(row["trigger_price"]) for row in found), None)

    def _control(self, act: str, scene: Scene, **fields: object) -> None:
        account, symbol, _ = scene.leg.leg
        place = {"account": account, "symbol": symbol, "position_side": scene.leg.position_side}
        self._exchange.ask("POST", f"/control/{act}", place | fields)

    def _cancel(self, scene: Scene, order: dict[str, Any]) -> None:
        wish = {"account": scene.leg.leg.account, "algo_id": order["algo_id"]}
        self._exchange.ask("POST", "/control/stop/cancel", wish)

    def _order(self, scene: Scene, size: str, **fields: object) -> None:
        self._control(
            "order", scene, side=scene.closing, quantity=size, client_id=self._name(), **fields
        )

    def _binance_order(self, scene: Scene, size: str) -> dict[str, object]:
        order: dict[str, object] = {
            "symbol": scene.leg.leg.symbol,
            "side": scene.closing,
            "positionSide": scene.leg.position_side,
            "quantity": size,
        }
        # In hedge mode the position side says so, and the parameter is refused.
        return order if self._scenario.hedge else order | {"reduceOnly": "true"}

    def _bybit_order(self, scene: Scene, size: str) -> dict[str, object]:
        indexes = {"BOTH": 0, "LONG": 1, "SHORT": 2}
        return {
            "symbol": scene.leg.leg.symbol,
            "side": scene.closing.capitalize(),
            "positionIdx": indexes[scene.leg.position_side],
            "qty": size,
            "reduceOnly": True,
            "orderLinkId": self._name(),
        }

    def _name(self) -> str:
        self._named += 1
        return f"{BOT_PREFIX}{self._named}"

    def _ppm(self, bounds: tuple[int, int]) -> int:
        return self._chance.randint(*bounds)
