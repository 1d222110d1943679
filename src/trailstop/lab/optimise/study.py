"""What a walk-forward found: per fold, over all tests, and in words."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from trailstop.domain.policy import Policy
from trailstop.lab.optimise.folds import Fold
from trailstop.lab.optimise.island import Surroundings
from trailstop.lab.optimise.score import Interval, Score
from trailstop.lab.optimise.space import Space
from trailstop.lab.terms import Costs, FillRule

SCHEMA_VERSION = 1


class Chosen(Struct, frozen=True):
    """The best settings of a train window.

    `by_luck_percent` is the mean result that the best of so many trials would show in that window
    if all were worth nothing.
    """

    choice: dict[str, Decimal | None]
    trials: int
    surroundings: Surroundings
    by_luck_percent: float = 0.0


class FoldResult(Struct, frozen=True):
    """One fold: what was best in its train window, and what that did in the test after it.

    `default_in` and `default_out` are the policy as it was given, in the same windows.
    """

    fold: Fold
    chosen: Chosen
    in_sample: Score
    out_of_sample: Score
    default_in: Score
    default_out: Score


class EquityPoint(Struct, frozen=True, array_like=True):
    """Sums of results out of sample, percent, after an exit: chosen settings, default."""

    at_ms: int
    chosen: float
    default: float


class Study(Struct, frozen=True):
    """A whole walk-forward.

    Scores are over all folds; a train window may share its positions with others, a test never.
    `difference` is chosen minus default, position by position, out of sample. `latest` is what
    was best in the newest train window, whose test has yet to come. `verdict` says it in words,
    `warnings` what speaks against trusting it.
    """

    symbols: tuple[str, ...]
    policy: Policy
    space: Space
    rule: FillRule
    costs: Costs
    method: str
    seed: int
    folds: tuple[FoldResult, ...]
    in_sample: Score
    out_of_sample: Score
    default_in: Score
    default_out: Score
    difference: Interval
    latest: Chosen
    equity: tuple[EquityPoint, ...]
    verdict: tuple[str, ...]
    warnings: tuple[str, ...]
    schema_version: int = SCHEMA_VERSION
