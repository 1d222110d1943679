"""`trailstop optimise`: settings chosen in one window and judged in the next."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

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
    SLIPPAGE_USUAL,
    FeeOption,
    FromOption,
    HtmlOption,
    ProgressOption,
    RuleOption,
    SkipBadOption,
    SlippageOption,
    TickOption,
    UntilOption,
    costs_of,
    moment_ms,
    number,
    policy_of,
    progress_bar,
)
from trailstop.commands.options import ConfigOption, JsonOption, SetOption
from trailstop.commands.times import US_PER_MS, duration_us

if TYPE_CHECKING:
    from trailstop.domain.policy import Policy
    from trailstop.lab.optimise import Market, Space

USUAL_FOLDS: Final = 4
USUAL_SEED: Final = 1
USUAL_RANGES: Final = {"activation_percent": "0.5:3:0.25", "callback_percent": "0.2:2:0.1"}
"""What is tried where no range is given."""

ManyDataArgument = Annotated[
    list[Path],
    typer.Argument(metavar="DATA", help="Files of bars, of one symbol or of several."),
]


def optimise(
    data: ManyDataArgument,
    *,
    activation: Annotated[
        str | None,
        typer.Option("--activation", metavar="RANGE", help="Gain, percent: 0.5:3:0.25 or 1,1.5."),
    ] = None,
    distance: Annotated[
        str | None, typer.Option("--distance", metavar="RANGE", help="Callback, percent.")
    ] = None,
    atr: Annotated[
        str | None, typer.Option("--atr", metavar="RANGE", help="Multiples of the ATR instead.")
    ] = None,
    share: Annotated[
        str | None,
        typer.Option("--profit-share", metavar="RANGE", help="Share of the gain kept instead."),
    ] = None,
    breakeven: Annotated[
        str | None,
        typer.Option(
            "--breakeven", metavar="RANGE", help="Gain, percent; none is allowed: none,1."
        ),
    ] = None,
    initial: Annotated[
        str | None, typer.Option("--initial-stop", metavar="RANGE", help="Percent from the entry.")
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials", metavar="N", help="Search with Optuna, so many trials a window.", min=1
        ),
    ] = None,
    study: Annotated[
        Path | None,
        typer.Option("--study", metavar="FILE", help="Keep the trials; the same command goes on."),
    ] = None,
    folds: Annotated[int, typer.Option("--folds", help="Windows to test in.", min=1)] = USUAL_FOLDS,
    train: Annotated[
        str | None, typer.Option("--train", metavar="DURATION", help="To choose in: 60d.")
    ] = None,
    test: Annotated[
        str | None, typer.Option("--test", metavar="DURATION", help="To judge in: 15d.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the search and of chance.")] = USUAL_SEED,
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
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the JSON into a file.")
    ] = None,
    html: HtmlOption = None,
    no_progress: ProgressOption = False,
) -> int:
    """Choose trailing settings where they are tried, and judge them where they were not.

    In each train window every combination of the ranges is tried (or --trials of them), the best
    one is judged in the window after it, beside the settings in force. The verdict says whether
    the difference is more than chance. Decisions take effect at once here; what a delay costs,
    `trailstop backtest --latency-ms` tells.

    Example: trailstop optimise BTCUSDT-1m.csv --activation 0.5:3:0.25 --distance 0.2:2:0.1

    Example: trailstop optimise *.csv --distance 0.1:3 --trials 500 --study btc.db --train 60d
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
    if study is not None and trials is None:
        raise typer.BadParameter("--study keeps the trials of a search: give --trials too")
    space = _space(
        {
            "activation_percent": activation,
            "callback_percent": distance,
            "atr_multiplier": atr,
            "profit_share": share,
            "breakeven_at_percent": breakeven,
            "initial_stop_percent": initial,
        },
        stepless=trials is not None,
    )
    train_ms, test_ms = _duration_ms(train), _duration_ms(test)
    costs = costs_of(fee, slippage, 0)
    markets, policy = _markets(
        data,
        wanted,
        tick=tick,
        start=start,
        until=until,
        skip_bad=skip_bad,
        config=config,
        settings=settings,
    )
    import msgspec

    from trailstop.lab.optimise import optimise as run
    from trailstop.lab.report.document import write
    from trailstop.lab.terms import FillRule

    with progress_bar("optimise", wanted=not no_progress) as shown:
        found = run(
            markets,
            space,
            policy,
            folds=folds,
            train_ms=train_ms,
            test_ms=test_ms,
            trials=trials,
            study_file=study,
            rule=rule or FillRule.WORST_CASE,
            costs=costs,
            seed=seed,
            progress=shown or (lambda _done, _total: None),
        )
    encoded = msgspec.json.encode(found)
    if out is not None:
        write(out, encoded)
        typer.echo(f"wrote {out}", err=True)
    if html is not None:
        from trailstop.lab.optimise.picture import write_study_page

        write_study_page(found, html)
        typer.echo(f"wrote {html}; open it in a browser", err=True)
    if as_json:
        typer.echo(encoded.decode())
    else:
        from trailstop.view.optimise import print_study

        print_study(found)
    return 0


def _space(ranges: dict[str, str | None], *, stepless: bool) -> Space:
    """The ranges that are given, else the usual ones. Raises: ConfigError."""
    from trailstop.lab.optimise import Space, read_axis

    given = {name: text for name, text in ranges.items() if text is not None} or USUAL_RANGES
    return Space(tuple(read_axis(name, text, stepless=stepless) for name, text in given.items()))


def _duration_ms(text: str | None) -> int | None:
    return None if text is None else duration_us(text) // US_PER_MS


def _markets(
    data: list[Path],
    wanted: Wanted,
    *,
    tick: str | None,
    start: str | None,
    until: str | None,
    skip_bad: bool,
    config: Path | None,
    settings: list[str] | None,
) -> tuple[list[Market], Policy]:
    """Every symbol with its positions, and the settings in force. Raises: DataError, ConfigError."""
    from trailstop.errors import ConfigError, DataError
    from trailstop.lab.data.history import read_histories
    from trailstop.lab.optimise import Market

    histories = read_histories(
        data,
        instrument_overrides={} if tick is None else {"tick_size": number(tick, "--tick")},
        from_ms=moment_ms(start),
        until_ms=moment_ms(until),
        skip_bad=skip_bad,
        quoted=wanted.quoted,
    )
    markets, policies = [], []
    for history in histories:
        if history.bars is None:
            raise DataError(f"{history.symbol}: optimise needs bars, not single trades or quotes")
        markets.append(Market(history.bars, wanted.entries(history), history.instrument))
        policies.append(policy_of(history.symbol, config, settings))
    if any(policy != policies[0] for policy in policies):
        raise ConfigError("these symbols have settings of their own; optimise them one by one")
    return markets, policies[0]
