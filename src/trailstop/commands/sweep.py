"""`trailstop sweep`: every combination of trailing settings over recorded prices."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from trailstop.commands.lab_entries import (
    AtOption,
    EntriesOption,
    EveryOption,
    FunctionOption,
    HoldOption,
    SideOption,
    Wanted,
)
from trailstop.commands.lab_options import (
    FEE_USUAL,
    RANGE_EXAMPLE,
    SLIPPAGE_USUAL,
    DataArgument,
    FeeOption,
    FromOption,
    HtmlOption,
    ProgressOption,
    RuleOption,
    SkipBadOption,
    SlippageOption,
    SymbolOption,
    TickOption,
    UntilOption,
    costs_of,
    fitted,
    ladder,
    numbers,
    numbers_or_none,
    policy_of,
    progress_bar,
    read_prices,
)
from trailstop.commands.options import ConfigOption, JsonOption, SetOption

if TYPE_CHECKING:
    from trailstop.domain.policy import Distance, Policy
    from trailstop.lab.report.grid import GridDocument
    from trailstop.lab.sweep import Grid

USUAL_ACTIVATION: Final = "0.5:3:0.25"
USUAL_DISTANCE: Final = "0.2:2:0.1"
"""What is tried where no range is given."""
NO_FINER: Final = "the finer bars are not used in a sweep; give them alone to sweep over them"

ActivationRange = Annotated[
    str | None,
    typer.Option(
        "--activation", metavar="RANGE", help=f"Gains, percent; {USUAL_ACTIVATION} unless given."
    ),
]
DistanceRange = Annotated[
    str | None,
    typer.Option(
        "--distance", metavar="RANGE", help=f"Callbacks, percent; {USUAL_DISTANCE} unless given."
    ),
]
AbsoluteRange = Annotated[
    str | None, typer.Option("--absolute", metavar="RANGE", help="Distances in quote currency.")
]
AtrRange = Annotated[
    str | None, typer.Option("--atr", metavar="RANGE", help="Distances in multiples of the ATR.")
]
StepsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--steps",
        metavar="LADDER",
        help="A ladder of gain:callback, as 1:0.5,2:0.3; may be repeated.",
    ),
]
BreakevenRange = Annotated[
    str | None,
    typer.Option("--breakeven", metavar="RANGE", help="Gains, percent; none may be among them."),
]
MomentumRange = Annotated[
    str | None,
    typer.Option("--momentum", metavar="RANGE", help="Percent a minute; none may be among them."),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="Write all cells as Parquet.")
]


def sweep(
    data: DataArgument,
    *,
    symbol: SymbolOption = None,
    activation: ActivationRange = None,
    distance: DistanceRange = None,
    absolute: AbsoluteRange = None,
    atr: AtrRange = None,
    steps: StepsOption = None,
    breakeven: BreakevenRange = None,
    momentum: MomentumRange = None,
    entries: EntriesOption = None,
    every: EveryOption = None,
    at: AtOption = None,
    function: FunctionOption = None,
    side: SideOption = None,
    hold_bars: HoldOption = None,
    rule: RuleOption = None,
    fee: FeeOption = FEE_USUAL,
    slippage: SlippageOption = SLIPPAGE_USUAL,
    tick: TickOption = None,
    start: FromOption = None,
    until: UntilOption = None,
    skip_bad: SkipBadOption = False,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
    out: OutOption = None,
    html: HtmlOption = None,
    no_progress: ProgressOption = False,
) -> int:
    """Try every combination of activation and distance, and of what else is given a range.

    A range is from:to:step or a list. The other settings are those in force. Decisions take
    effect at once here, without latency: what you choose, try with `trailstop backtest`.

    Example: trailstop sweep BTCUSDT-1m.csv --activation 0.5:3:0.25 --distance 0.2:2:0.1

    Example: trailstop sweep BTCUSDT-1m.csv --breakeven none,0.5,1 --html map.html --out all.parquet
    """
    wanted = Wanted(
        file=entries,
        every=every,
        at=tuple(at or ()),
        function=function,
        side=side,
        hold_bars=hold_bars,
    )
    wanted.check()
    costs = costs_of(fee, slippage, 0)
    activations = numbers(activation or USUAL_ACTIVATION, "--activation")
    breakevens = numbers_or_none(breakeven, "--breakeven")
    momenta = numbers_or_none(momentum, "--momentum")
    history = read_prices(
        data,
        symbol=symbol,
        quoted=wanted.quoted,
        finer=None,
        tick=tick,
        start=start,
        until=until,
        skip_bad=skip_bad,
    )
    policy, notes = fitted(policy_of(history.symbol, config, settings), history)
    distances = _distances(policy, distance, absolute, atr, steps or [])
    from trailstop.lab.report.grid import grid_document
    from trailstop.lab.sweep import sweep as run
    from trailstop.lab.terms import FillRule

    with progress_bar("sweep", wanted=not no_progress) as progress:
        grid = run(
            history.prices,
            wanted.entries(history),
            policy,
            activation=activations,
            distance=distances,
            breakeven=breakevens,
            momentum=momenta,
            rule=rule or FillRule.WORST_CASE,
            costs=costs,
            instrument=history.instrument,
            progress=progress,
        )
    if history.finer is not None:
        notes = (*notes, NO_FINER)
    report = grid_document(
        grid, history.prices, warnings=notes, funding_left_out=history.funding is not None
    )
    _write(grid, report, out=out, html=html)
    if as_json:
        from trailstop.lab.report.grid import as_json as encoded

        typer.echo(encoded(report).decode())
    else:
        from trailstop.view.sweep import print_sweep

        print_sweep(report)
    return 0


def _distances(
    policy: Policy, callback: str | None, absolute: str | None, atr: str | None, steps: list[str]
) -> list[Distance]:
    """Every distance that is asked for; ranges of the ATR keep the length in force."""
    from msgspec.structs import replace

    from trailstop.domain.policy import Absolute, Atr, Callback

    found: list[Distance] = []
    if callback is not None or not (absolute or atr or steps):
        percents = _positive(callback or USUAL_DISTANCE, "--distance")
        found += [Callback(percent) for percent in percents]
    if absolute is not None:
        found += [Absolute(width) for width in _positive(absolute, "--absolute")]
    if atr is not None:
        average = policy.distance if isinstance(policy.distance, Atr) else Atr()
        found += [replace(average, multiplier=factor) for factor in _positive(atr, "--atr")]
    return [*found, *(ladder(text, "--steps") for text in steps)]


def _positive(text: str, option: str) -> tuple[Decimal, ...]:
    found = numbers(text, option)
    if 0 in found:
        raise typer.BadParameter(f"{option} must be above 0, like {RANGE_EXAMPLE}")
    return found


def _write(grid: Grid, report: GridDocument, *, out: Path | None, html: Path | None) -> None:
    """Write what was asked for; where, goes to standard error, as results go to the other."""
    from trailstop.errors import DataError

    if out is not None:
        try:
            grid.write_parquet(out)
        except OSError as error:
            raise DataError(f"{out} cannot be written ({error.strerror or error})") from None
        typer.echo(f"wrote {out}", err=True)
    if html is not None:
        from trailstop.lab.report.grid_page import write_sweep_page

        write_sweep_page(grid, report, html)
        typer.echo(f"wrote {html}; open it in a browser", err=True)
