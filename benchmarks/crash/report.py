"""The last judgement of a run, and its result as one object."""

from __future__ import annotations

from collections import Counter
from typing import Any

from benchmarks.crash.drill import REACTION_MS, US_PER_MS, Drill
from benchmarks.crash.exchange import LEGS, History
from benchmarks.crash.journal import event_findings, order_findings, read_journal
from benchmarks.crash.processes import database_copy
from benchmarks.crash.truth import legs_of
from benchmarks.crash.verdict import KINDS


def judge(drill: Drill) -> None:
    """Hold the exchange's clocks, the journal and the orders against what must be."""
    state = drill.exchange.state()
    drill.guard.stop()
    history = drill.exchange.stop()
    drill.clocks = state["clocks"]
    verdict, clocks = drill.verdict, state["clocks"]
    if clocks["loosened"]:
        verdict.fail("loosened", "the exchange saw a stop become looser", clocks["loosened"])
    if clocks["duplicates"]:
        verdict.fail("duplicated", "the exchange saw a stop too many", clocks["duplicates"])
    for incident in state["incidents"]:
        length_ms = -(-(incident["to_us"] - incident["from_us"]) // US_PER_MS)
        if incident["kind"] == "unprotected":
            if _nobody_could(drill, history, incident):
                drill.bare_ms += length_ms
            else:
                verdict.fail("unprotected", f"{incident}")
        elif drill.second_stop == "allow":
            verdict.fail("loosened", f"{incident}")
    journal = read_journal(database_copy(drill.guard.folder))
    for finding in event_findings(journal, len(legs_of(state))):
        verdict.fail("events", finding)
    for finding in order_findings(journal, history):
        verdict.fail("intents" if "intent" in finding else "events", finding)
    drill.journal_records = len(journal.sequences)
    drill.moves = sum(journal.stop_moves.values())
    drill.epochs = sum(bool(told.adopted) for told in journal.epochs.values())


def _nobody_could(drill: Drill, history: History, incident: dict[str, Any]) -> bool:
    """Whether the position never had a stop before, and no guard ran that could have placed one."""
    name = incident["account"]
    symbol = next(symbol for account, symbol, _ in LEGS if account == name)
    dead = any(
        from_us <= incident["from_us"] and incident["to_us"] <= to_us + REACTION_MS * US_PER_MS
        for from_us, to_us in drill.dead_times()
    )
    earlier = [
        order
        for order in history.conditionals[name]
        if order.symbol == symbol and order.created_us < incident["to_us"]
    ]
    epoch_stops = [
        order
        for order in earlier
        if order.created_us >= incident["from_us"] - REACTION_MS * US_PER_MS
    ]
    return dead and not epoch_stops


def result_of(drill: Drill, seconds: float) -> dict[str, Any]:
    """Everything that a run has to show."""
    stages = Counter(kill.stage for kill in drill.done)
    failures = drill.verdict.failures
    return {
        "kills": len(drill.done),
        "between_arrival_and_answer": sum(kill.write for kill in drill.done),
        "stages": dict(sorted(stages.items())),
        "second_stop": drill.second_stop,
        "seed": drill.seed,
        **{kind: failures[kind] for kind in KINDS},
        "loosened_ms": drill.clocks.get("loosened_ms"),
        "unprotected_ms": drill.clocks.get("unprotected_ms"),
        "bare_while_no_guard_ran_ms": drill.bare_ms,
        "twin": dict(sorted(drill.compared.items())),
        "epochs": drill.epochs,
        "moves": drill.moves,
        "journal_records": drill.journal_records,
        "virtual_seconds": drill.virtual_ms // 1_000,
        "seconds": round(seconds, 1),
        "failures": drill.verdict.lines[:50],
    }
