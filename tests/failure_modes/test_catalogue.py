"""No mode is forgotten and no test is homeless."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from tests.failure_modes.catalogue import MODES, SECTIONS, mode_of
from tests.failure_modes.stories import BOUND_MS, TAKEN, WHOLE, StoryClocks, as_property, judge
from tests.failure_modes.table import ModesTable

HERE = Path(__file__).parent
PAGE = HERE.parents[1].parent / "shared" / "failure-modes.md"
LATER = {"dashboard-no-auth", "webhook-spoof", "notifier-blocks", "alert-lost", "alert-storm"}


def _functions() -> dict[str, str]:
    """Every test function of this folder and the file that it is in."""
    return {
        node.name: path.name
        for path in sorted(HERE.glob("test_*.py"))
        if path != Path(__file__)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
    }


def test_every_mode_has_a_test():
    modes = {mode_of(name) for name in _functions()}
    assert [m.name for m in MODES if m.state != "later" and m not in modes] == []


def test_every_test_belongs_to_a_mode():
    assert {name: file for name, file in _functions().items() if mode_of(name) is None} == {}


def test_only_what_needs_other_parts_is_left_to_later():
    assert {mode.name for mode in MODES if mode.state == "later"} == LATER


def test_what_is_not_tested_has_its_reason():
    assert [mode.name for mode in MODES if (mode.state == "tested") is bool(mode.why)] == []


def test_no_mode_is_there_twice():
    assert [name for name, count in Counter(mode.name for mode in MODES).items() if count > 1] == []


def test_the_modes_are_those_of_the_page():
    if not PAGE.is_file():
        pytest.skip("the page is not beside this checkout")
    page: dict[str, list[str]] = {}
    for level, title in re.findall(r"(?m)^(##|###) (.+)$", PAGE.read_text(encoding="utf-8")):
        if level == "##":
            names = page.setdefault(title, [])
        else:
            names.append(title)
    ours = {section: [mode.name for mode in modes] for section, modes in SECTIONS.items()}
    assert list(ours.items()) == list(page.items())


def _report(mode, outcome, properties=()):
    return SimpleNamespace(
        nodeid=f"tests/failure_modes/test_any.py::{mode.prefix}_in_some_way[long]",
        when="call",
        outcome=outcome,
        user_properties=list(properties),
    )


def _told(reports):
    table = ModesTable()
    for report in reports:
        table.pytest_runtest_logreport(report)
    return table, list(table.lines())


def test_the_table_ends_with_the_count_of_modes():
    asked = [mode for mode in MODES if mode.state != "later"]
    table, lines = _told(_report(mode, "passed") for mode in asked)
    assert lines[-1] == f"{len(asked)} passed, 0 failed"
    assert table.failed == []
    assert sum(" impossible, proven " in line for line in lines) == 2


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_a_mode_whose_test_does_not_pass_has_failed(outcome):
    first, *others = [mode for mode in MODES if mode.state != "later"]
    table, lines = _told([_report(first, outcome), *(_report(mode, "passed") for mode in others)])
    assert table.failed == [first]
    assert lines[-1] == f"{len(others)} passed, 1 failed"


def test_the_table_shows_how_the_clocks_of_all_stories_are_spread():
    rows = [
        StoryClocks(group=TAKEN, unprotected_ms=ms, loosened_ms=0, first_stop_ms=300, size_lag_ms=0)
        for ms in range(1, 101)
    ]
    _, lines = _told(_report(MODES[0], "passed", [as_property(row)]) for row in rows)
    (line,) = [line for line in lines if "unprotected_ms" in line]
    assert line.split()[-5:] == ["100", "100", "50", "99", "100"]


def test_a_story_that_leaves_a_position_bare_fails_unless_something_was_taken():
    bare = StoryClocks(
        group=WHOLE, unprotected_ms=1, loosened_ms=0, first_stop_ms=300, size_lag_ms=0
    )
    with pytest.raises(AssertionError, match="bare although"):
        judge(bare)
    judge(replace(bare, group=TAKEN, unprotected_ms=BOUND_MS))
    with pytest.raises(AssertionError, match="longer than"):
        judge(replace(bare, group=TAKEN, unprotected_ms=BOUND_MS + 1))
