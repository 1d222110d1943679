"""`trailstop demo`: guarded lives on a local exchange, from adoption to the result."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

import enum
from typing import Annotated, Final, Literal

import typer

from trailstop.commands.options import ConfigOption, SetOption
from trailstop.commands.paper import (
    DataOption,
    EveryOption,
    FaultsOption,
    ForOption,
    FromOption,
    HedgeOption,
)
from trailstop.commands.times import duration_us, moment_us

DEFAULT_SPEED: Final = 60.0


class VenueChoice(enum.StrEnum):
    """Protocols that the paper exchange speaks."""

    BINANCE = "binance"
    BYBIT = "bybit"


DEFAULT_VENUES: Final = (VenueChoice.BINANCE,)


def demo(
    *,
    venues: Annotated[
        list[VenueChoice] | None,
        typer.Option(
            "--venue", help="Protocol of the exchange, binance unless given; may be repeated."
        ),
    ] = None,
    hedge: HedgeOption = False,
    data: DataOption = None,
    start: FromOption = None,
    duration: ForOption = None,
    every: EveryOption = None,
    faults: FaultsOption = None,
    speed: Annotated[
        float, typer.Option(help="Virtual seconds a second; 0 as fast as it goes.", min=0)
    ] = DEFAULT_SPEED,
    seed: Annotated[
        int | None, typer.Option(help="Seed of generated prices and of latencies; any runs.")
    ] = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    latency_ms: Annotated[
        int | None, typer.Option(help="One way of a request, virtual ms ± 50 %.", min=0)
    ] = None,
    second_stop: Annotated[
        Literal["allow", "refuse"] | None,
        typer.Option(help="Whether a second reduce-only stop may rest beside the first."),
    ] = None,
    taker_fee: Annotated[
        str | None, typer.Option(help="Fee of market orders, fraction of notional.")
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="End when all is closed or the prices are over.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object at the end; plays once.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the guard's folder: database, log, settings.")
    ] = False,
) -> int:
    """Watch the real guard on a local exchange: no keys, no network, no real money.

    Paper exchange and guard run as two processes. A long and a short are opened, adopted,
    protected, trailed and closed; a summary follows. Without --once the next story begins.
    With two venues the same happens at the same prices on accounts of both.

    Example: trailstop demo --venue binance --venue bybit --once --speed 0 --json
    """
    if start is not None:
        moment_us(start)
    if duration is not None:
        duration_us(duration)
    if faults is not None:
        from trailstop.paper.trouble.plan import read_plan

        # A wrong plan ends the demo before it begins.
        read_plan(faults)
    from trailstop.demo.run import run_demo
    from trailstop.demo.settings import DEFAULT_SEED, DemoSettings

    return run_demo(
        DemoSettings(
            venues=tuple(dict.fromkeys(venue.value for venue in venues or DEFAULT_VENUES)),
            hedge=hedge,
            data=tuple(data or ()),
            start=start,
            duration=duration,
            every=every,
            faults=faults,
            speed=speed,
            seed=DEFAULT_SEED if seed is None else seed,
            config=config,
            settings=tuple(settings or ()),
            latency_ms=latency_ms,
            second_stop=second_stop,
            taker_fee=taker_fee,
            once=once or as_json,
            as_json=as_json,
            keep=keep,
        )
    )
