"""What happens to accounts, moment by moment, as private streams tell it in any dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from trailstop.paper.facts import AccountChanged, ConditionalChanged, Fact, OrderChanged

AccountFact = OrderChanged | AccountChanged | ConditionalChanged


def by_moment(
    facts: Sequence[Fact], listens: Callable[[str], bool]
) -> Iterator[tuple[int, str, list[AccountFact]]]:
    """Time (µs), account and its facts of that time, for those accounts that listen."""
    of_accounts = (fact for fact in facts if isinstance(fact, AccountFact))
    for moment_us, moment in groupby(of_accounts, lambda fact: fact.time_us):
        told: dict[str, list[AccountFact]] = {}
        for fact in moment:
            if listens(fact.account):
                told.setdefault(fact.account, []).append(fact)
        for account, heard in told.items():
            yield moment_us, account, heard
