"""The engine decides from its arguments alone: nothing else is imported or mutated."""

from __future__ import annotations

import ast
import decimal
from pathlib import Path

import pytest
from msgspec.json import encode

import trailstop
from tests.engine.story import check, policy
from trailstop.engine import events as ev
from trailstop.engine.step import _HANDLERS as HANDLERS
from trailstop.engine.step import step

ALLOWED = {
    "__future__", "collections", "copy", "decimal", "enum", "operator", "typing", "msgspec",
    "trailstop",
}  # fmt: skip
PURE = [
    path
    for folder in ("domain", "engine")
    for path in sorted((Path(trailstop.__file__).parent / folder).glob("*.py"))
]


@pytest.mark.parametrize("path", PURE, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_nothing_impure_is_imported(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert {name.split(".")[0] for name in names} <= ALLOWED
        assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), "no floats"


def test_every_event_has_a_handler() -> None:
    assert set(HANDLERS) == set(ev.Event.__args__)


def test_what_is_no_event_is_an_error_and_never_a_shrug() -> None:
    trail = check("open long 100\n price 100  place 98 backstop 95")
    with pytest.raises(KeyError):
        step(trail, "price 100")  # type: ignore[arg-type]


def test_the_trail_that_is_given_is_never_written_to() -> None:
    trail = check("open long 100\n price 100  place 98\n ack\n price 101.6 move 101.1", BARE)
    written, price = encode(trail), trail.price
    assert price is not None
    for event in (ev.PriceSeen(price + 1, 5), ev.TimePassed(9), ev.Paused(9)):
        step(trail, event)
        assert encode(trail) == written


BARE = policy(backstop_percent=None, breakeven_at_percent=None)


def test_the_decisions_are_those_of_pythons_default_context() -> None:
    story = """
        open long 0.00012345 size 1234567
        price 0.00012345  place 0.000121 backstop 0.0001173
        ack
        price 0.00012468  hold not_activated
        price 0.00012531  move 0.0001247 trail
    """
    settings = policy(breakeven_at_percent=None)
    with decimal.localcontext(decimal.DefaultContext):
        ours = encode(check(story, settings, tick="0.0000001"))
    with decimal.localcontext(decimal.Context(prec=60)):
        assert encode(check(story, settings, tick="0.0000001")) == ours
