"""An imported policy as the `[policy]` section of `trailstop.toml`, or as JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from trailstop.config.catalog import policy_settings
from trailstop.config.values import show_value
from trailstop.domain.policy import Callback, Policy, Steps
from trailstop.lab.peers.freqtrade.importing import Imported

HEADINGS: Final = {
    "carried": "Taken over:",
    "near": "Near, but not the same:",
    "none": "Without an equivalent, and left out:",
}


ALWAYS: Final = frozenset(
    {
        "initial_stop_percent",
        "backstop_percent",
        "activation_percent",
        "distance",
        "callback_percent",
        "steps",
        "breakeven_at_percent",
    }
)
"""Settings that are written even at their defaults, since the stop is made of them."""


def changed_settings(policy: Policy) -> dict[str, Any]:
    """Settings of `[policy]` that are not at their defaults or make the stop, by name."""
    changed: dict[str, Any] = {}
    for name, setting in policy_settings().items():
        value = _value(policy, name)
        if value is not _ABSENT and (name in ALWAYS or value != setting.default):
            changed[name] = value
    return changed


def as_toml(imported: Imported, sources: str) -> str:
    """The section, with what became of each setting as comments before it."""
    lines = [f"# Made of {sources} by `trailstop import freqtrade`."]
    for kind, heading in HEADINGS.items():
        notes = [note for note in imported.notes if note.kind == kind]
        if notes:
            lines += ["#", f"# {heading}"]
            lines += [f"#   {note.setting}: {note.text}." for note in notes]
    lines += ["", "[policy]"]
    for name, value in changed_settings(imported.policy).items():
        lines.append(f"{name} = {show_value(value)}")
    return "\n".join(lines) + "\n"


def as_document(imported: Imported) -> dict[str, Any]:
    """The same for JSON; numbers are strings."""
    return {
        "policy": {name: _text(value) for name, value in changed_settings(imported.policy).items()},
        "notes": [
            {"kind": note.kind, "setting": note.setting, "text": note.text}
            for note in imported.notes
        ],
    }


class _Absent:
    """A setting of another kind of distance."""


_ABSENT = _Absent()


def _value(policy: Policy, name: str) -> Any:
    """One setting as `[policy]` spells it."""
    distance = policy.distance
    match name, distance:
        case "distance", Steps():
            return "steps"
        case "distance", Callback():
            return "callback"
        case "callback_percent", Callback(percent):
            return percent.normalize()
        case "steps", Steps(rungs):
            return tuple(
                (rung.gain_percent.normalize(), rung.callback_percent.normalize()) for rung in rungs
            )
    if not hasattr(policy, name):
        return _ABSENT
    value = getattr(policy, name)
    return value.normalize() if isinstance(value, Decimal) else value


def _text(value: Any) -> Any:
    match value:
        case Decimal():
            return f"{value:f}"
        case tuple():
            return [_text(one) for one in value]
        case None | bool() | str():
            return value
    return str(getattr(value, "value", value))
