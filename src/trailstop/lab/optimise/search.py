"""A search by Optuna where a whole grid would take too long; it can be stopped and taken up.

Every trial draws with a seed of its own, that of the study and the number of finished trials, and
all that the search knows lies in its file. So a search that was stopped goes on as if it had not
been.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.exceptions import OptunaError
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.trial import TrialState
from sqlalchemy import event
from sqlalchemy.exc import SQLAlchemyError

from trailstop.errors import DataError
from trailstop.lab.optimise.island import Surroundings, compared
from trailstop.lab.optimise.space import Choice, Space
from trailstop.lab.optimise.study import Chosen

SEED_STEP: Final = 1_000_003
"""Keeps the seeds of trials of two studies apart."""
SEED_END: Final = 2**32
NEAR_SHARE: Final = 20
"""A neighbour lies a twentieth of the range away."""
DIGEST_LETTERS: Final = 16

Evaluate = Callable[[Choice], float]
"""Mean result of a choice in the train window, percent a position."""


def open_storage(file: Path | None) -> BaseStorage:
    """The study's file, or memory. Raises DataError where it is none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if file is None:
        return InMemoryStorage()
    try:
        storage = RDBStorage(f"sqlite:///{file}")
        # A trial is ten commits; what only a power cut could lose can be tried again.
        event.listen(storage.engine, "connect", _commit_lightly)
        storage.engine.dispose()
        return storage
    except (SQLAlchemyError, OptunaError, RuntimeError) as error:
        why = str(error).partition("\n")[0]
        raise DataError(f"{file} cannot be used as a study ({why}); name another file") from error


def _commit_lightly(connection: Any, _: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


def study_name(*parts: object) -> str:
    """One name for the same data, space and terms, and another for any other."""
    encoded = msgspec.json.encode(parts, enc_hook=str, order="deterministic")
    return hashlib.sha256(encoded).hexdigest()[:DIGEST_LETTERS]


def search(
    space: Space,
    evaluate: Evaluate,
    *,
    trials: int,
    seed: int,
    storage: BaseStorage,
    name: str,
    progress: Callable[[int], None] | None = None,
) -> Chosen:
    """Make trials until so many are finished, those of before included, and take the best."""
    study = optuna.create_study(
        storage=storage, study_name=name, direction="maximize", load_if_exists=True
    )
    known: dict[tuple[int, ...], float] = {}
    for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        assert trial.value is not None, "a finished trial has a value"
        known[_place(space, trial.params)] = trial.value
    done = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
    distributions: dict[str, BaseDistribution] = {
        axis.name: IntDistribution(0, len(axis.values) - 1) for axis in space.axes
    }
    while done < trials:
        study.sampler = TPESampler(seed=(seed * SEED_STEP + done) % SEED_END)
        asked = study.ask(distributions)
        place = _place(space, asked.params)
        if place not in known:
            known[place] = evaluate(space.choice(place))
        study.tell(asked, known[place])
        done += 1
        if progress is not None:
            progress(done)
    best = max(known, key=lambda place: (known[place], tuple(-at for at in place)))
    return Chosen(
        choice=space.choice(best),
        trials=done,
        surroundings=_around(space, best, known[best], evaluate),
    )


def _place(space: Space, params: dict[str, int]) -> tuple[int, ...]:
    return tuple(int(params[axis.name]) for axis in space.axes)


def _around(space: Space, best: tuple[int, ...], value: float, evaluate: Evaluate) -> Surroundings:
    """A step to each side along each axis, a twentieth of its range."""
    around, edges = [], []
    for number, axis in enumerate(space.axes):
        last = len(axis.values) - 1
        if last == 0:
            continue
        if best[number] in (0, last):
            edges.append(axis.name)
        by = max(1, last // NEAR_SHARE)
        for at in {max(0, best[number] - by), min(last, best[number] + by)} - {best[number]}:
            place = (*best[:number], at, *best[number + 1 :])
            around.append(evaluate(space.choice(place)))
    return compared(value, around, at_edge=tuple(edges))
