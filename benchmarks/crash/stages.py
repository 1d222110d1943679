"""Where a guard is killed, and how it is caught there."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

How = Literal["request", "moment", "wall", "start", "recovery", "fill"]
"""How a guard is caught: a held request, a virtual moment, a moment of the wall clock, while it
starts, while it recovers (a held request too), just after a fill."""

ALGO, ORDER = "/fapi/v1/algoOrder", "/fapi/v1/order"
READS = (
    "/fapi/v1/openAlgoOrders",
    "/fapi/v3/positionRisk",
    "/fapi/v1/openOrders",
)
RECOVERY_READS = (
    "/fapi/v1/openAlgoOrders",
    "/fapi/v3/positionRisk",
    "/fapi/v1/userTrades",
    "/fapi/v1/aggTrades",
    "/fapi/v1/klines",
    "/fapi/v2/ticker/price",
)


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


def _write(name: str, method: str, path: str) -> tuple[Stage, Stage, Stage]:
    return (
        Stage(f"{name}: arrival to effect", "request", method, (path,), "effect", write=True),
        Stage(f"{name}: arrival, then lost", "request", method, (path,), lost=True, write=True),
        Stage(f"{name}: effect to answer", "request", method, (path,), "answer", write=True),
    )


PLACE_EFFECT, PLACE_LOST, PLACE_ANSWER = _write("place", "POST", ALGO)
CANCEL_EFFECT, CANCEL_LOST, CANCEL_ANSWER = _write("cancel", "DELETE", ALGO)
CLOSE_EFFECT, CLOSE_LOST, CLOSE_ANSWER = _write("close", "POST", ORDER)
READ = Stage("read", "request", "GET", READS)
READ_ANSWER = Stage("read: effect to answer", "request", "GET", READS, "answer")
IDLE = Stage("between requests", "moment")
ANYWHERE = Stage("anywhere (wall clock)", "wall")
START = Stage("start-up", "start")
RECOVERY = Stage("recovery", "recovery", "GET", RECOVERY_READS, "effect")
RECOVERY_ANSWER = Stage("recovery: effect to answer", "recovery", "GET", RECOVERY_READS, "answer")
FILL = Stage("just after a fill", "fill")

ROUND = (
    PLACE_ANSWER,
    RECOVERY,
    PLACE_EFFECT,
    CANCEL_ANSWER,
    ANYWHERE,
    PLACE_LOST,
    CANCEL_EFFECT,
    IDLE,
    CLOSE_EFFECT,
    START,
    PLACE_ANSWER,
    CANCEL_LOST,
    FILL,
    PLACE_EFFECT,
    READ,
    CLOSE_ANSWER,
    CANCEL_ANSWER,
    ANYWHERE,
    PLACE_ANSWER,
    PLACE_LOST,
    RECOVERY_ANSWER,
    CANCEL_EFFECT,
    START,
    PLACE_EFFECT,
    CLOSE_LOST,
    READ_ANSWER,
    PLACE_ANSWER,
    IDLE,
)
"""One round of stages; more than half of them lie between a write's arrival and its answer."""


def draw(kills: int, chance: Random) -> list[Stage]:
    """So many stages: whole rounds, each in an order of its own; the first one as it stands."""
    stages: list[Stage] = []
    while len(stages) < kills:
        following = list(ROUND)
        if stages:
            chance.shuffle(following)
        stages += following
    return stages[:kills]
