"""From settings in layers to one Policy for each leg.

Overrides go from the general to the particular: `[policy]`, then the account's, then the
symbol's, then the symbol's of that account, then the single position's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from trailstop.config.catalog import policy_settings
from trailstop.config.layers import Layer, Path_, Written
from trailstop.config.legs import LegPattern, parse_leg
from trailstop.config.values import read_value
from trailstop.domain.policy import (
    Absolute,
    Atr,
    Callback,
    Distance,
    Policy,
    ProfitShare,
    Rung,
    Steps,
)
from trailstop.domain.position import Leg
from trailstop.errors import ConfigError

Table = dict[str, Written]
"""Policy settings by name, as read."""

DISTANCE_NEEDS: Final[dict[str, tuple[str, ...]]] = {
    "callback": ("callback_percent",),
    "profit_share": ("profit_share",),
    "steps": ("steps",),
    "atr": ("atr_length", "atr_timeframe_minutes", "atr_multiplier", "callback_percent"),
    "absolute": ("absolute_distance",),
}
DISTANCE_SETTINGS: Final = frozenset(
    {"distance", *(n for ns in DISTANCE_NEEDS.values() for n in ns)}
)
EITHER_ACTIVATION: Final = ("activation_percent", "activation_price")


class PolicyBook:
    """Every override there is; answers with the policy of a leg."""

    def __init__(self, layer: Layer) -> None:
        self._tables: dict[Path_, Table] = {}
        settings = policy_settings()
        for path, written in layer.items():
            scope = path[:-1]
            if path[-1] in settings and _is_scope(scope):
                value = read_value(".".join(path), settings[path[-1]].kind, written)
                self._tables.setdefault(scope, {})[path[-1]] = Written(value, written.source)
        self._made: dict[tuple[Path_, ...], Policy] = {}
        for scopes in self._combinations():
            self._make(scopes)

    def policy_for(self, leg: Leg) -> Policy:
        """The settings in force for this leg."""
        fitting = [
            ("positions", name)
            for name, pattern in self._patterns()
            if pattern.fits(leg) and ("positions", name) in self._tables
        ]
        return self._make((*_scopes(leg.account, leg.symbol), *fitting))

    def base(self) -> dict[str, tuple[Any, str]]:
        """The `[policy]` section in force: value and source by name."""
        table = self._tables.get(("policy",), {})
        in_force: dict[str, tuple[Any, str]] = {}
        for name, setting in policy_settings().items():
            written = table.get(name)
            default = setting.default
            if name == "activation_percent" and _given(table, "activation_price"):
                default = None
            in_force[name] = (written.value, written.source) if written else (default, "default")
        return in_force

    def overrides(self) -> Iterator[tuple[str, Any, str]]:
        """Key, value and source of everything outside `[policy]`."""
        for scope, table in sorted(self._tables.items()):
            if scope != ("policy",):
                for name, written in table.items():
                    yield ".".join((*scope, name)), written.value, written.source

    def _patterns(self) -> list[tuple[str, LegPattern]]:
        names = [scope[1] for scope in self._tables if scope[0] == "positions"]
        # The more parts a pattern names, the later and stronger it is.
        return sorted(
            ((n, parse_leg(n)) for n in names), key=lambda row: (len(row[0].split("/")), row[0])
        )

    def _combinations(self) -> Iterator[tuple[Path_, ...]]:
        """Every set of scopes that some leg may meet, so that errors show at the start."""
        accounts = {scope[1] for scope in self._tables if scope[0] == "accounts"} or {""}
        symbols = {scope[-1] for scope in self._tables if "symbols" in scope[:-1]}
        for account in accounts | {""}:
            for symbol in symbols | {""}:
                yield _scopes(account, symbol)
        for name, pattern in self._patterns():
            for account in {pattern.account} if pattern.account else accounts | {""}:
                yield (*_scopes(account or "", pattern.symbol), ("positions", name))

    def _make(self, scopes: Iterable[Path_]) -> Policy:
        real = tuple(scope for scope in scopes if scope in self._tables)
        if real not in self._made:
            merged: Table = {}
            for scope in real:
                merged = _merged(merged, self._tables[scope], scope)
            self._made[real] = _build(merged, real)
        return self._made[real]


def _is_scope(scope: Path_) -> bool:
    match scope:
        case ("policy",) | ("symbols" | "positions", _):
            return True
        case ("accounts", _, "policy") | ("accounts", _, "symbols", _):
            return True
        case _:
            return False


def _scopes(account: str, symbol: str) -> tuple[Path_, ...]:
    return (
        ("policy",),
        ("accounts", account, "policy"),
        ("symbols", symbol),
        ("accounts", account, "symbols", symbol),
    )


def _given(table: Table, name: str) -> bool:
    return name in table and table[name].value is not None


def _merged(below: Table, above: Table, scope: Path_) -> Table:
    """Lay one table over another; one way of activating takes the place of the other."""
    if all(_given(above, name) for name in EITHER_ACTIVATION):
        raise ConfigError(
            f"{above[EITHER_ACTIVATION[0]].source}: {'.'.join(scope)} sets activation_percent and "
            f"activation_price; keep one"
        )
    displaced = {
        other for name, other in (EITHER_ACTIVATION, EITHER_ACTIVATION[::-1]) if _given(above, name)
    }
    merged = {name: value for name, value in below.items() if name not in displaced} | above
    if "distance" not in merged:
        _refuse_idle(above, scope)
    return merged


def _refuse_idle(table: Table, scope: Path_) -> None:
    """Who sets a share to keep and no distance thinks that it is used; it would not be."""
    for name in sorted(DISTANCE_SETTINGS & set(table) - set(DISTANCE_NEEDS["callback"])):
        wanted = next(kind for kind, needs in DISTANCE_NEEDS.items() if name in needs)
        raise ConfigError(
            f"{table[name].source}: {'.'.join((*scope, name))} has no effect while the distance "
            f'is callback; set distance = "{wanted}" too, or leave it out'
        )


def _build(table: Table, scopes: tuple[Path_, ...]) -> Policy:
    fields = {
        name: written.value for name, written in table.items() if name not in DISTANCE_SETTINGS
    }
    try:
        return Policy(distance=_distance(table), **fields)
    except ConfigError as error:
        sources = sorted({table[name].source for name in table if name in str(error)})
        where = ".".join(scopes[-1]) if scopes else "policy"
        raise ConfigError(f"{', '.join(sources) or where}: {error}") from None


def _distance(table: Table) -> Distance:
    settings = policy_settings()

    def value(name: str) -> Any:
        return table[name].value if name in table else settings[name].default

    match value("distance"):
        case "profit_share":
            return ProfitShare(value("profit_share"))
        case "steps":
            return Steps(tuple(Rung(gain, callback) for gain, callback in value("steps")))
        case "atr":
            names = ("atr_length", "atr_timeframe_minutes", "atr_multiplier", "callback_percent")
            return Atr(*(value(name) for name in names))
        case "absolute":
            if value("absolute_distance") is None:
                raise ConfigError("distance absolute needs absolute_distance, a price distance")
            return Absolute(value("absolute_distance"))
        case _:
            return Callback(value("callback_percent"))
