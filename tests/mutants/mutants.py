"""The product's most dangerous mistakes, as data: each must be noticed by its tests.

A text must be found exactly once in its file. `tests` are those that notice the mistake; at
least one of them runs the whole chain from the exchange to the exchange.
"""

from __future__ import annotations

from dataclasses import dataclass

LIFE = "tests/acceptance/test_life.py::"
FLAT = "tests/failure_modes/test_positions.py::test_flat_versus_unknown"
POSITIONS = "tests/acceptance/test_positions.py::"
REPLACING = "tests/acceptance/test_replacing.py::"
RESTART = "tests/acceptance/test_restart.py::"
RULE = "tests/acceptance/test_rule.py::"
SHARED = "tests/acceptance/test_shared_stop.py::"
UNKNOWN = "tests/acceptance/test_unknown.py::"


@dataclass(frozen=True)
class Mutant:
    """One mistake: in which file of the source, instead of what, and who notices it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "cancel before the new stop is acknowledged",
        "trailstop/daemon/writing/executor.py",
        "        if not self.traits.overlap:\n",
        "        if self.traits.overlap:\n",
        (f"{REPLACING}test_a_stop_is_replaced_new_first_and_never_missing",),
    ),
    Mutant(
        "reduce-only dropped",
        "trailstop/venues/binance/orders.py",
        'params["reduceOnly"] = "true"',
        'params["reduceOnly"] = "false"',
        (f"{LIFE}test_a_new_position_has_its_stop_within_two_seconds",),
    ),
    Mutant(
        "side swapped in the cross",
        "trailstop/engine/evaluate.py",
        "if reached(price, exact):",
        "if reached(exact, price):",
        (f"{RULE}test_a_cross_of_the_held_stop_closes_at_market",),
    ),
    Mutant(
        "interval counted from the attempt",
        "trailstop/engine/acknowledge.py",
        "moved_at_ms=event.at_ms)",
        "moved_at_ms=event.at_ms if sent is None else sent.at_ms)",
        (f"{RULE}test_the_interval_counts_from_the_time_that_the_exchange_states",),
    ),
    Mutant(
        "ratchet ignored after averaging",
        "trailstop/engine/step.py",
        "    if after.quantity == before.quantity or trail.own_stop is None:\n",
        """\
    if after.entry_price != before.entry_price and trail.initial_at is not None:
        anew = trail.instrument.snap_stop(trail.initial_at, after.side)
        trail = replace(trail, exact_stop=anew, own_stop=anew)
    if after.quantity == before.quantity or trail.own_stop is None:
""",
        (f"{POSITIONS}test_averaging_never_loosens_a_stop",),
    ),
    Mutant(
        "an unknown outcome treated as failed",
        "trailstop/daemon/writing/answers.py",
        """\
                self.lookups[intent.client_id] = Lookup(intent, now_ms)
                told = Told("unknown", settled, now_ms, price, quantity, text=outcome.text)
""",
        """\
                told = Told("refused", settled, now_ms, reason=Refusal.TRANSIENT)
""",
        (f"{UNKNOWN}test_a_move_whose_answer_is_lost_is_not_sent_again",),
    ),
    Mutant(
        "an empty list taken for a proof",
        "trailstop/daemon/reading/proofs.py",
        """\
            over = fills is not None and closed(fills, seen.quantity, trail.position)
""",
        """\
            over = True
""",
        (f"{FLAT}[long-binance-one-way-empty]",),
    ),
    Mutant(
        "a peak from before activation by time",
        "trailstop/engine/evaluate.py",
        """\
    if trail.activated:
        if trail.peak is None or trail.position.side.better(price, trail.peak):
            force_setattr(trail, "peak", price)
    elif trail.distance_ok and rules.activates(trail, price, at_ms):
        force_setattr(trail, "activated", True)
        force_setattr(trail, "peak", price)
""",
        """\
    if trail.peak is None or trail.position.side.better(price, trail.peak):
        force_setattr(trail, "peak", price)
    if not trail.activated and trail.distance_ok and rules.activates(trail, price, at_ms):
        force_setattr(trail, "activated", True)
""",
        (f"{RULE}test_activation_by_time_trails_from_the_price_of_that_moment",),
    ),
    Mutant(
        "plan compares with the exact stop",
        "trailstop/daemon/leg.py",
        "working=trail.target_stop,",
        "working=trail.exact_stop,",
        (f"{RULE}test_passes_never_bypass_pacing",),
    ),
    Mutant(
        "intent written after the request",
        "trailstop/daemon/writing/desk.py",
        """\
        await make_durable(self.store, intent, protective=protective)
        name = intent.client_id
        if role is Role.WORKING:
            _log.debug("creating trailing stop", leg=str(self.leg), price=price, client_id=name)
        trigger = self.triggers[0] if role is Role.WORKING else self.triggers[1]
        request = StopRequest(self.leg, self.side, role, price, quantity, trigger, name, can_wait)
        outcome = await self.venue.place_stop(request)
""",
        """\
        name = intent.client_id
        if role is Role.WORKING:
            _log.debug("creating trailing stop", leg=str(self.leg), price=price, client_id=name)
        trigger = self.triggers[0] if role is Role.WORKING else self.triggers[1]
        request = StopRequest(self.leg, self.side, role, price, quantity, trigger, name, can_wait)
        outcome = await self.venue.place_stop(request)
        await make_durable(self.store, intent, protective=protective)
""",
        (f"{RESTART}test_an_intent_is_on_disk_before_its_request_arrives",),
    ),
    Mutant(
        "snap away from the market",
        "trailstop/domain/price.py",
        "Side.LONG: ROUND_CEILING, Side.SHORT: ROUND_FLOOR",
        "Side.LONG: ROUND_FLOOR, Side.SHORT: ROUND_CEILING",
        (f"{RULE}test_stops_are_rounded_towards_the_market",),
    ),
    Mutant(
        "emergency above instead of at 1.0 %",
        "trailstop/engine/pacing.py",
        "improvement < emergency * live",
        "improvement <= emergency * live",
        (f"{RULE}test_an_improvement_of_one_percent_goes_out_at_once",),
    ),
    Mutant(
        "the first stop after activation paced",
        "trailstop/engine/evaluate.py",
        """\
        force_setattr(trail, "peak", price)
        _unpace(trail)
""",
        """\
        force_setattr(trail, "peak", price)
""",
        (f"{RULE}test_the_first_stop_after_activation_is_not_paced",),
    ),
    Mutant(
        "a back-filled price closes",
        "trailstop/engine/step.py",
        """\
        force_setattr(trail, "gap_crossed", True)
""",
        """\
        return close(trail, event.at_ms, CloseReason.CROSSED)
""",
        (f"{RESTART}test_a_cross_that_was_missed_never_closes_by_itself",),
    ),
    Mutant(
        "a held move forgotten until the next price",
        "trailstop/engine/step.py",
        "    due_ms = trail.release_at_ms\n",
        "    due_ms = NEVER_MS\n",
        (f"{RULE}test_a_held_move_goes_out_when_the_interval_ends_without_another_price",),
    ),
    Mutant(
        "a tighter price of somebody else undone",
        "trailstop/daemon/writing/in_place.py",
        "(self.floor is not None and not side.better(want.price, self.floor))",
        "False",
        (f"{SHARED}test_what_is_added_never_loosens_a_hand_made_floor",),
    ),
    Mutant(
        "a tug of war over the shared stop",
        "trailstop/guard/plan.py",
        "    if snapshot.asked_at_ms < target.put_back_from_ms:\n",
        "    if snapshot is None:\n",
        (f"{SHARED}test_a_tug_of_war_is_one_correction_a_minute_and_the_stop_stands_in_the_end",),
    ),
    Mutant(
        "a shared stop at any price taken for ours",
        "trailstop/daemon/reading/ownership.py",
        "return kind_at(price, guarded) is not StopKind.FOREIGN",
        "return price is not None",
        (f"{SHARED}test_a_stop_moved_tighter_by_hand_is_the_floor_and_ours_goes_on_from_there",),
    ),
)
