"""`trailstop backtest`: what a policy would have made of positions in recorded prices."""

# ruff: noqa: PLC0415 - heavy parts load when the command runs, so that --help is quick
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    LATENCY_USUAL_MS,
    SLIPPAGE_USUAL,
    DataArgument,
    FeeOption,
    FinerOption,
    FromOption,
    HtmlOption,
    LatencyOption,
    ProgressOption,
    RuleOption,
    SkipBadOption,
    SlippageOption,
    SymbolOption,
    TickOption,
    UntilOption,
    costs_of,
    fitted,
    policy_of,
    progress_bar,
    read_prices,
    rule_of,
)
from trailstop.commands.options import ConfigOption, JsonOption, SetOption

if TYPE_CHECKING:
    from trailstop.lab.report.document import Document
    from trailstop.lab.trades import Result

CsvOption = Annotated[
    Path | None,
    typer.Option("--csv", metavar="FOLDER", help="Write trades.csv and moves.csv there."),
]
ParquetOption = Annotated[
    Path | None, typer.Option("--parquet", metavar="FILE", help="Write the trades as Parquet.")
]


def backtest(
    data: DataArgument,
    *,
    symbol: SymbolOption = None,
    entries: EntriesOption = None,
    every: EveryOption = None,
    at: AtOption = None,
    function: FunctionOption = None,
    side: SideOption = None,
    hold_bars: HoldOption = None,
    rule: RuleOption = None,
    finer: FinerOption = None,
    fee: FeeOption = FEE_USUAL,
    slippage: SlippageOption = SLIPPAGE_USUAL,
    latency_ms: LatencyOption = LATENCY_USUAL_MS,
    tick: TickOption = None,
    start: FromOption = None,
    until: UntilOption = None,
    skip_bad: SkipBadOption = False,
    config: ConfigOption = None,
    settings: SetOption = None,
    as_json: JsonOption = False,
    csv: CsvOption = None,
    parquet: ParquetOption = None,
    html: HtmlOption = None,
    no_progress: ProgressOption = False,
) -> int:
    """Try the trailing rule on recorded prices: the very rule that guards live positions.

    Each position is judged on its own; they may overlap. The settings are those of
    trailstop.toml where it is here, and of --set policy.KEY=VALUE. What happens inside a bar is
    not recorded: the order that --rule assumes is named beside every result.

    Example: trailstop backtest BTCUSDT-1m-2021-05.csv --every 60 --side both --html may.html

    Example: trailstop backtest BTCUSDT-1m.zip --entries mine.csv --set policy.callback_percent=0.8
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
    costs = costs_of(fee, slippage, latency_ms)
    history = read_prices(
        data,
        symbol=symbol,
        quoted=wanted.quoted,
        finer=finer,
        tick=tick,
        start=start,
        until=until,
        skip_bad=skip_bad,
    )
    policy, notes = fitted(policy_of(history.symbol, config, settings), history)
    from trailstop.lab.backtest import backtest as run
    from trailstop.lab.report.document import document

    with progress_bar("backtest", wanted=not no_progress) as progress:
        result = run(
            history,
            wanted.entries(history),
            policy,
            rule=rule_of(rule, history),
            costs=costs,
            engine="step",
            progress=progress,
        )
    result = replace(result, warnings=(*notes, *result.warnings))
    report = document(result)
    _write(result, report, csv=csv, parquet=parquet, html=html)
    if as_json:
        from trailstop.lab.report.document import as_json as encoded

        typer.echo(encoded(report).decode())
    else:
        from trailstop.view.backtest import print_backtest

        print_backtest(report)
    return 0


def _write(
    result: Result,
    report: Document,
    *,
    csv: Path | None,
    parquet: Path | None,
    html: Path | None,
) -> None:
    """Write what was asked for; where, goes to standard error, as results go to the other."""
    from trailstop.lab.report.files import write_csv, write_parquet
    from trailstop.lab.report.html import write_backtest_page

    if csv is not None:
        files = write_csv(report.trades, csv)
        typer.echo(f"wrote {' and '.join(map(str, files))}", err=True)
    if parquet is not None:
        write_parquet(report.trades, parquet)
        typer.echo(f"wrote {parquet}", err=True)
    if html is not None:
        write_backtest_page(result, html, report)
        typer.echo(f"wrote {html}; open it in a browser", err=True)
