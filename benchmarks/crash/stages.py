"""Where a guard is killed, and how it is caught there."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from benchmarks.crash.scenario import VenueName

How = Literal["request", "moment", "wall", "start", "recovery", "fill"]
"""How a guard is caught: a held request, a virtual moment, a moment of the wall clock, while it
starts, while it recovers (a held request too), just after a fill."""


@dataclass(frozen=True)
class Stage:
    """One stage. `point` is where a request is held; `lost` requests never take effect."""

    name: str
    how: How
    method: str = ""
    paths: tuple[str, ...] = ("",)
    point: Literal["effect", "answer"] = "effect"
    lost: bool = False
    write: bool = False
    """Between a write's arrival at the exchange and its answer."""


IDLE = Stage("between requests", "moment")
ANYWHERE = Stage("anywhere (wall clock)", "wall")
START = Stage("start-up", "start")
FILL = Stage("just after a fill", "fill")


@dataclass(frozen=True)
class Stages:
    """The stages of one exchange: its own requests."""

    fallback: Stage
    """Stops are placed all the time: what is caught where another request does not come."""
    round: tuple[Stage, ...]
    """One round; more than half of it lies between a write's arrival and its answer."""

    def draw(self, kills: int, chance: Random) -> list[Stage]:
        """So many stages: whole rounds, each in an order of its own; the first as it stands."""
        stages: list[Stage] = []
        while len(stages) < kills:
            following = list(self.round)
            if stages:
                chance.shuffle(following)
            stages += following
        return stages[:kills]


def _write(name: str, method: str, path: str) -> tuple[Stage, Stage, Stage]:
    return (
        Stage(f"{name}: arrival to effect", "request", method, (path,), "effect", write=True),
        Stage(f"{name}: arrival, then lost", "request", method, (path,), lost=True, write=True),
        Stage(f"{name}: effect to answer", "request", method, (path,), "answer", write=True),
    )


def _reads(name: str, how: How, paths: tuple[str, ...]) -> tuple[Stage, Stage]:
    return (
        Stage(name, how, "GET", paths),
        Stage(f"{name}: effect to answer", how, "GET", paths, "answer"),
    )


def _binance() -> Stages:
    algo, order = "/fapi/v1/algoOrder", "/fapi/v1/order"
    reads = ("/fapi/v1/openAlgoOrders", "/fapi/v3/positionRisk", "/fapi/v1/openOrders")
    recovery_reads = (
        "/fapi/v1/openAlgoOrders",
        "/fapi/v3/positionRisk",
        "/fapi/v1/userTrades",
        "/fapi/v1/aggTrades",
        "/fapi/v1/klines",
        "/fapi/v2/ticker/price",
    )
    place, place_lost, place_answer = _write("place", "POST", algo)
    cancel, cancel_lost, cancel_answer = _write("cancel", "DELETE", algo)
    close, close_lost, close_answer = _write("close", "POST", order)
    read, read_answer = _reads("read", "request", reads)
    recovery, recovery_answer = _reads("recovery", "recovery", recovery_reads)
    return Stages(
        place,
        (
            place_answer,
            recovery,
            place,
            cancel_answer,
            ANYWHERE,
            place_lost,
            cancel,
            IDLE,
            close,
            START,
            place_answer,
            cancel_lost,
            FILL,
            place,
            read,
            close_answer,
            cancel_answer,
            ANYWHERE,
            place_answer,
            place_lost,
            recovery_answer,
            cancel,
            START,
            place,
            close_lost,
            read_answer,
            place_answer,
            IDLE,
        ),
    )


def _bybit() -> Stages:
    """Nothing is cancelled there: the position's one stop is moved in place."""
    reads = ("/v5/position/list", "/v5/order/realtime")
    recovery_reads = (
        *reads,
        "/v5/execution/list",
        "/v5/market/recent-trade",
        "/v5/market/kline",
        "/v5/market/tickers",
    )
    move, move_lost, move_answer = _write("trading-stop", "POST", "/v5/position/trading-stop")
    close, close_lost, close_answer = _write("close", "POST", "/v5/order/create")
    read, read_answer = _reads("read", "request", reads)
    recovery, recovery_answer = _reads("recovery", "recovery", recovery_reads)
    return Stages(
        move,
        (
            move_answer,
            recovery,
            move,
            move_answer,
            ANYWHERE,
            move_lost,
            move,
            IDLE,
            close,
            START,
            move_answer,
            move_lost,
            FILL,
            move,
            read,
            close_answer,
            move_answer,
            ANYWHERE,
            move_answer,
            move_lost,
            recovery_answer,
            move,
            START,
            move,
            close_lost,
            read_answer,
            move_answer,
            IDLE,
        ),
    )


STAGES: dict[VenueName, Stages] = {"binance": _binance(), "bybit": _bybit()}
