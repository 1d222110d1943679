"""The last judgement of a run, and its result as one object."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from benchmarks.crash.drill import Drill
from benchmarks.crash.excuses import is_excused, is_of_two_lives, may_be_excused, nobody_could
from benchmarks.crash.history import History
from benchmarks.crash.journal import event_findings, read_journal
from benchmarks.crash.moments import US_PER_MS
from benchmarks.crash.orders import foreign_findings, order_findings, slot_findings
from benchmarks.crash.processes import database_copy
from benchmarks.crash.truth import legs_of
from benchmarks.crash.verdict import KINDS

DISTURBED = "disturbed"
FAILURES_SHOWN = 50


def judge(drill: Drill) -> None:
    """Hold the exchange's clocks, the journal and the orders against what must be."""
    state = drill.exchange.state()
    drill.guard.stop()
    history = drill.exchange.stop()
    drill.clocks = state["clocks"]
    _keep(drill, state)
    verdict = drill.verdict
    drill.note(state)
    acts = [] if drill.others is None else drill.others.acts
    crossed = [change.at_us for change in history.crossings()]
    drill.crossed = len(crossed)
    for counted in drill.counts:
        meanwhile = any(counted.from_us <= at_us <= counted.to_us for at_us in crossed)
        excused = meanwhile or may_be_excused(counted, acts, drill.done)
        if counted.kind == "loosened" and excused:
            drill.excused += counted.count
        elif counted.kind == "duplicated" and is_of_two_lives(counted, history, drill.done):
            drill.of_two_lives += counted.count
        else:
            verdict.fail(counted.kind, f"counted by the exchange: {counted}", counted.count)
    for incident in state["incidents"]:
        # A crossing promised less from its moment on: nobody remembers what it undid.
        if incident["kind"] != DISTURBED and incident["from_us"] not in crossed:
            _judge_incident(drill, history, incident)
    journal = read_journal(database_copy(drill.guard.folder))
    for finding in event_findings(journal, len(legs_of(state))):
        verdict.fail("events", finding)
    for kind, line in (*order_findings(journal, history), *slot_findings(journal, history)):
        verdict.fail(kind, line)
    by_bot = 0 if drill.others is None else drill.others.ended_by_bot
    for line in foreign_findings(history, state["foreign_ends"], by_bot):
        verdict.fail("foreign_touched", line)
    drill.journal_records = len(journal.sequences)
    drill.moves = sum(journal.stop_moves.values())
    drill.epochs = sum(bool(told.adopted) for told in journal.epochs.values())


def _keep(drill: Drill, state: dict[str, Any]) -> None:
    """Put down, beside logs and databases, what a failure is looked into with."""
    acts = [] if drill.others is None else drill.others.acts
    everything = {"kills": drill.done, "acts": acts, "state": state}
    (drill.folder / "run.json").write_bytes(msgspec.json.encode(everything))


def _judge_incident(drill: Drill, history: History, incident: dict[str, Any]) -> None:
    """One uninterrupted time that one of the exchange's clocks has counted."""
    length_ms = -(-(incident["to_us"] - incident["from_us"]) // US_PER_MS)
    bare = incident["kind"] == "unprotected"
    acts = [] if drill.others is None else drill.others.acts
    if bare and nobody_could(history, incident, drill.done):
        drill.bare_ms += length_ms
    elif is_excused(incident, acts, drill.done):
        drill.excused_ms += length_ms
    elif bare:
        drill.verdict.fail("unprotected", f"{incident}")
    elif drill.scenario.one_stop or drill.scenario.second_stop == "allow":
        drill.verdict.fail("loosened", f"{incident}")


def result_of(drill: Drill, seconds: float) -> dict[str, Any]:
    """Everything that a run has to show."""
    stages = Counter(kill.stage for kill in drill.done)
    scenario, failures = drill.scenario, drill.verdict.failures
    return {
        "kills": len(drill.done),
        "between_arrival_and_answer": sum(kill.write for kill in drill.done),
        "stages": dict(sorted(stages.items())),
        "venue": scenario.venue,
        "mode": scenario.mode,
        "second_stop": scenario.second_stop,
        "others": None if drill.others is None else dict(sorted(drill.others.done.items())),
        "seed": scenario.seed,
        **{kind: failures[kind] for kind in KINDS},
        "loosened_ms": drill.clocks.get("loosened_ms"),
        "unprotected_ms": drill.clocks.get("unprotected_ms"),
        "disturbed_ms": drill.clocks.get("disturbed_ms"),
        "put_back_ms": drill.clocks.get("put_back_ms"),
        "bare_while_no_guard_ran_ms": drill.bare_ms,
        "made_worse_while_no_guard_ran_ms": drill.excused_ms,
        "loosened_by_others_while_no_guard_ran": drill.excused,
        "crossed_on_the_way": drill.crossed,
        "second_stop_over_two_lives": drill.of_two_lives,
        "only_sized_stop_was_somebody_elses": drill.slots_taken,
        "twin": dict(sorted(drill.compared.items())),
        "epochs": drill.epochs,
        "moves": drill.moves,
        "journal_records": drill.journal_records,
        "virtual_seconds": drill.virtual_ms // 1_000,
        "seconds": round(seconds, 1),
        "failures": drill.verdict.lines[:FAILURES_SHOWN],
    }
