"""`trailstop demo`: guarded lives on a local exchange, from adoption to the result."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

from typing import Annotated, Final, Literal

import typer

from trailstop.commands.options import ConfigOption, SetOption
from trailstop.commands.paper import DataOption, EveryOption, ForOption, FromOption
from trailstop.commands.times import duration_us, moment_us

DEFAULT_SPEED: Final = 60.0


def demo(
    *,
    data: DataOption = None,
    start: FromOption = None,
    duration: ForOption = None,
    every: EveryOption = None,
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

    Example: trailstop demo --once --speed 0 --data BTCUSDT-1m.csv --every 10 --json
    """
    if start is not None:
        moment_us(start)
    if duration is not None:
        duration_us(duration)
    from trailstop.demo.run import run_demo
    from trailstop.demo.settings import DEFAULT_SEED, DemoSettings

    return run_demo(
        DemoSettings(
            data=tuple(data or ()),
            start=start,
            duration=duration,
            every=every,
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
