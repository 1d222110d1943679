"""Stories of failure modes: the table of the acceptance tests, and what each story has cost.

A story that takes our stops away, or makes the exchange unreachable, says so with
`table.bare_allowed(why)` or `table.out_of_reach(from_ms, until_ms, why)`; every other one must
leave no position without a stop for a single millisecond.
"""

from __future__ import annotations

import pytest

from tests.acceptance.fixtures import *  # noqa: F403 - its `__all__` names the fixtures and the hook
from tests.acceptance.table import Ended, Table
from tests.failure_modes.stories import as_property, judge, measure
from tests.failure_modes.table import ModesTable


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run print the table of failure modes."""
    parser.addoption("--table", action="store_true", help="print the table of failure modes")


def pytest_configure(config: pytest.Config) -> None:
    """Where tests are spread over workers only their controller prints."""
    if config.getoption("table", default=False) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(ModesTable(), "modes-table")


@pytest.fixture
def ended(request: pytest.FixtureRequest) -> Ended:
    """Note the clocks of each story with its test, and judge them."""

    def note(table: Table) -> None:
        row = measure(table)
        request.node.user_properties.append(as_property(row))
        judge(row)

    return note
