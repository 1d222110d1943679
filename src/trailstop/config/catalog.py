"""Every setting there is: its key, type, default and the text that explains it.

The texts are the strings beneath the fields in the source, read from it, so that they exist
once. Nothing else lists settings.
"""

from __future__ import annotations

import ast
import difflib
import functools
import inspect
import textwrap
from collections.abc import Iterable
from typing import Any, Final, get_type_hints

import msgspec
from msgspec import Struct

from trailstop.config.sections import (
    AccountSection,
    DistanceSettings,
    Feed,
    General,
    Guard,
    Paper,
)
from trailstop.domain.policy import DEFAULT_ACTIVATION_PERCENT, Policy

SIMILARITY: Final = 0.5
"""How alike a misspelt name must be to its suggestion, between 0 and 1."""
LISTED: Final = 12
"""More names than this fit no line."""


class Setting(Struct, frozen=True):
    """One setting within its section. `kind` is the type that its value is read as."""

    name: str
    kind: Any
    default: Any
    text: str


def _texts(section: type[Struct]) -> dict[str, str]:
    """The strings beneath a struct's fields, by field name."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(section))).body[0]
    assert isinstance(tree, ast.ClassDef)
    texts: dict[str, str] = {}
    for field, after in zip(tree.body, tree.body[1:], strict=False):
        match field, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                texts[name] = " ".join(text.split())
    return texts


def _settings(section: type[Struct], left_out: Iterable[str] = ()) -> dict[str, Setting]:
    texts, kinds = _texts(section), get_type_hints(section)
    return {
        field.name: Setting(field.name, kinds[field.name], field.default, texts[field.name])
        for field in msgspec.structs.fields(section)
        if field.name not in left_out
    }


@functools.cache
def policy_settings() -> dict[str, Setting]:
    """The settings of `[policy]`: the fields of Policy, its distance spelled flat."""
    found: dict[str, Setting] = {}
    for name, setting in _settings(Policy).items():
        if name == "distance":
            found |= _settings(DistanceSettings)
        else:
            found[name] = setting
    # Policy leaves it open so that a price may stand instead; people look for the figure.
    activation = found["activation_percent"]
    found["activation_percent"] = msgspec.structs.replace(
        activation, default=DEFAULT_ACTIVATION_PERCENT
    )
    return found


@functools.cache
def section_settings(section: str) -> dict[str, Setting]:
    """The settings of one plain section: trailstop, guard, feed, paper, policy or an account."""
    match section:
        case "policy":
            return policy_settings()
        case "account":
            return _settings(AccountSection)
        case _:
            return _settings(SECTIONS[section])


SECTIONS: Final[dict[str, type[Struct]]] = {
    "trailstop": General,
    "guard": Guard,
    "feed": Feed,
    "paper": Paper,
}
NAMED_SECTIONS: Final = ("accounts", "symbols", "positions")
ALL_SECTIONS: Final = (
    "trailstop",
    "accounts",
    "policy",
    "symbols",
    "positions",
    "guard",
    "feed",
    "paper",
)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error on an unknown name: the nearest known one, or where to look."""
    names = sorted(known)
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=SIMILARITY)
    if near:
        return f"did you mean {near[0]}?"
    if len(names) > LISTED:
        return "trailstop config list prints all that there are"
    return f"there are: {', '.join(names)}"
