"""`trailstop paper`: the local exchange alone."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from trailstop.commands.options import ConfigOption, SetOption, load
from trailstop.commands.parent import EndWithStdin, end_with_stdin
from trailstop.commands.times import duration_us, moment_us

if TYPE_CHECKING:
    from trailstop.config.sections import Paper

BINANCE_PORT: Final = 9580
CONTROL_PORT: Final = 9581

BinancePort = Annotated[
    int, typer.Option(help="Port of REST and streams; 0 takes a free one.", min=0, max=65535)
]
BybitPort = Annotated[
    int | None,
    typer.Option(
        help="Port of REST and streams in Bybit's protocol; 0 takes a free one. Without it only "
        "Binance's is spoken.",
        min=0,
        max=65535,
    ),
]
AccountOption = Annotated[
    list[str] | None,
    typer.Option("--account", metavar="NAME", help="An account by its name; may be repeated."),
]
HedgeOption = Annotated[
    bool, typer.Option("--hedge", help="Accounts in hedge mode: a long and a short a market.")
]
ControlPort = Annotated[
    int, typer.Option(help="Port of the control interface; 0 takes a free one.", min=0, max=65535)
]
LinkPort = Annotated[
    int, typer.Option(help="Port of the virtual clock; 0 takes a free one.", min=0, max=65535)
]
DataOption = Annotated[
    list[Path] | None,
    typer.Option("--data", metavar="FILE", help="Recorded prices; may be repeated."),
]
GenerateOption = Annotated[
    int | None, typer.Option("--generate", metavar="SEED", help="Generated prices of this seed.")
]
SymbolOption = Annotated[
    list[str] | None, typer.Option("--symbol", help="A generated market; may be repeated.")
]
FromOption = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="Begin here, 2021-05-19T12:00 (UTC).")
]
ForOption = Annotated[
    str | None, typer.Option("--for", metavar="DURATION", help="Play so much: 40m, 12h, 3d.")
]
FaultsOption = Annotated[
    Path | None,
    typer.Option("--faults", metavar="FILE", help="A plan of what goes wrong, and when (JSON)."),
]
EveryOption = Annotated[
    int | None,
    typer.Option(
        "--every",
        metavar="N",
        help="New longs and shorts every N bars (tick files: seconds) where flat.",
        min=1,
    ),
]


def paper(
    *,
    binance_port: BinancePort = BINANCE_PORT,
    bybit_port: BybitPort = None,
    control_port: ControlPort = CONTROL_PORT,
    link_port: LinkPort = 0,
    data: DataOption = None,
    generate: GenerateOption = None,
    symbols: SymbolOption = None,
    start: FromOption = None,
    duration: ForOption = None,
    speed: Annotated[
        float, typer.Option(help="Virtual seconds a second; 0 as fast as it goes.", min=0)
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Seed of latencies and faults.")] = 0,
    accounts: AccountOption = None,
    hedge: HedgeOption = False,
    open_pair: Annotated[
        bool,
        typer.Option(
            "--open",
            help="Open longs and shorts in each market, once; the accounts take turns, in hedge "
            "mode each holds both.",
        ),
    ] = False,
    every: EveryOption = None,
    faults: FaultsOption = None,
    wait_for_guard: Annotated[
        bool, typer.Option("--wait-for-guard", help="Time stands still without a linked guard.")
    ] = False,
    config: ConfigOption = None,
    settings: SetOption = None,
    watched: EndWithStdin = False,
) -> int:
    """Run a local exchange that speaks Binance's and Bybit's protocol; prints one JSON line.

    Both protocols serve the same accounts, positions and prices. The line names its addresses
    and the keys of its accounts. Section [paper] of the settings holds its latency, fees and
    switches. With --faults things go wrong as planned, the same way in each run of one seed.

    Example: trailstop paper --binance-port 9580 --bybit-port 9583 --generate 7 --speed 60
    """
    if data and generate is not None:
        raise typer.BadParameter("give either --data or --generate, not both")
    if accounts and len(set(accounts)) < len(accounts):
        raise typer.BadParameter("give each --account a name of its own")
    from_us = None if start is None else moment_us(start)
    for_us = None if duration is None else duration_us(duration)
    section = load(config, settings).paper
    from trailstop.paper.assembly import ACCOUNTS
    from trailstop.paper.plan import plan_openings
    from trailstop.paper.runner import DEFAULT_SYMBOLS, PaperSettings, run_paper
    from trailstop.paper.trouble.plan import read_plan

    plan = None if faults is None else read_plan(faults)
    if watched:
        end_with_stdin()
    files = tuple(data or ())
    markets = tuple(symbol.upper() for symbol in symbols or DEFAULT_SYMBOLS)
    names = tuple(accounts or ACCOUNTS)
    schedule = None
    if open_pair or every is not None:
        schedule = plan_openings(files, markets, every, accounts=names, hedge=hedge)
    build = _build(
        section,
        seed=seed,
        accounts=names,
        hedge=hedge,
        schedule=schedule,
        plan=plan,
        once=schedule is not None and every is None,
        binance_port=binance_port,
        bybit_port=bybit_port,
        control_port=control_port,
        link_port=link_port,
    )
    return run_paper(
        PaperSettings(
            data=tuple(str(path) for path in files),
            generate=generate,
            symbols=markets,
            speed=speed,
            from_us=from_us,
            for_us=for_us,
            waits_for_guard=wait_for_guard,
            build=build,
        )
    )


def _build(section: Paper, *, seed: int, **rest: Any) -> Any:
    """What the exchange is built from: its own defaults where the settings are silent."""
    import msgspec

    from trailstop.paper.assembly import Build
    from trailstop.paper.settings import WorldSettings

    given = {
        name: value
        for name, value in msgspec.structs.asdict(section).items()
        if value is not None and name != "link"
    }
    latency = {"latency_ms": given.pop("latency_ms")} if "latency_ms" in given else {}
    return Build(world=WorldSettings(seed=seed, **given), seed=seed, **latency, **rest)
