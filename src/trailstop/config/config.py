"""The configuration in force, made once at the start from all its layers."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from msgspec import Struct

from trailstop.config.catalog import section_settings
from trailstop.config.keys import Secret, find_secret, key_names, secret_names
from trailstop.config.layers import (
    Layer,
    command_layer,
    environment_layer,
    file_layer,
    lay_over,
)
from trailstop.config.legs import LegPattern, parse_leg
from trailstop.config.policies import PolicyBook
from trailstop.config.sections import (
    PAPER_PORTS,
    AccountSection,
    Feed,
    General,
    Guard,
    Paper,
    VenueName,
)
from trailstop.config.values import read_value
from trailstop.domain.policy import Policy
from trailstop.domain.position import Leg
from trailstop.errors import ConfigError

S = TypeVar("S", bound=Struct)

DEFAULT_FILE: Final = "trailstop.toml"
PAPER_MODE: Final = "paper"
PAPER_HOST: Final = "127.0.0.1"
MAX_PORT: Final = 65_535
ACCOUNT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
REST_SCHEMES: Final = ("http", "https")
DEFAULT_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}
WS_SCHEMES: Final = ("ws", "wss")
ONE_STOP_VENUES: Final = frozenset({"bybit"})
"""Exchanges that keep one stop with the position, so that no backstop rests behind it."""
BACKSTOP_SETTINGS: Final = frozenset({"backstop_percent", "backstop_trigger_price"})


class Account(Struct, frozen=True, kw_only=True):
    """One account on one exchange, with its keys where the environment has them."""

    name: str
    settings: AccountSection
    api_key: Secret | None
    api_secret: Secret | None
    key_source: str | None = None
    secret_source: str | None = None

    @property
    def venue(self) -> VenueName:
        """The exchange's name."""
        return self.settings.venue

    @property
    def rest_url(self) -> str:
        """Where requests go."""
        return self.settings.rest_url or f"http://{PAPER_HOST}:{PAPER_PORTS[self.venue]}"

    @property
    def ws_url(self) -> str:
        """Where streams come from: where requests go, unless it is spelled out."""
        if self.settings.ws_url is not None:
            return self.settings.ws_url
        return self.rest_url.replace("http", "ws", 1)

    def keys(self) -> tuple[Secret, Secret]:
        """Key and secret. Raises: ConfigError naming the variable that is missing."""
        if self.api_key is None:
            raise ConfigError(self._missing(_key_names(self.name, self.settings)))
        if self.api_secret is None:
            raise ConfigError(self._missing(_secret_names(self.name, self.settings)))
        return self.api_key, self.api_secret

    def _missing(self, names: tuple[str, ...]) -> str:
        others = f" (or {', '.join(names[1:])})" if names[1:] else ""
        return (
            f"account {self.name} has no keys: set {names[0]}{others} in the environment, or "
            f"{names[0]}_FILE to a file that holds it"
        )


class Config(Struct, frozen=True, kw_only=True):
    """Everything that is set, checked; `policy_for` gives a leg's own settings."""

    general: General
    guard: Guard
    feed: Feed
    paper: Paper
    accounts: tuple[Account, ...]
    policies: PolicyBook
    sources: dict[str, str]
    file: Path | None = None

    @property
    def mode(self) -> str:
        """What is at stake."""
        return self.general.mode

    @property
    def data_dir(self) -> Path:
        """Folder of everything that is kept."""
        return Path(self.general.data_dir).expanduser()

    @property
    def database(self) -> Path:
        """The database file of this mode."""
        chosen = self.general.database
        if chosen is None:
            return self.data_dir / f"trailstop-{self.mode}.db"
        return Path(chosen).expanduser()

    @property
    def database_url(self) -> str:
        """The database in the form that the store opens."""
        return f"sqlite:///{self.database}"

    @property
    def link(self) -> tuple[str, int] | None:
        """Host and port of the virtual clock; None in real time."""
        return None if self.paper.link is None else parse_link(self.paper.link)

    def policy_for(self, leg: Leg) -> Policy:
        """The trailing settings in force for this leg."""
        return self.policies.policy_for(leg)

    def is_guarded(self, leg: Leg) -> bool:
        """Whether positions on this leg are adopted."""
        if any(pattern.fits(leg) for pattern in _patterns(self.guard.ignore)):
            return False
        match self.guard.adopt:
            case "all":
                return True
            case "none":
                return False
            case legs:
                return any(pattern.fits(leg) for pattern in _patterns(legs))


def load_config(
    file: Path | None = None,
    settings: Sequence[str] = (),
    *,
    environ: Mapping[str, str],
    need_accounts: bool = True,
) -> Config:
    """Read every layer and check the whole.

    `file` None takes `trailstop.toml` of the current folder where it is there. `settings`
    are `section.key=value` of the command line. With `need_accounts` at least one account
    must be there, with its keys.

    Raises: ConfigError, one line that names the source and the key.
    """
    if file is None and Path(DEFAULT_FILE).is_file():
        file = Path(DEFAULT_FILE)
    layer = lay_over(
        {} if file is None else file_layer(file),
        environment_layer(environ),
        command_layer(settings),
    )
    config = Config(
        general=_section(layer, ("trailstop",), General),
        guard=_section(layer, ("guard",), Guard),
        feed=_section(layer, ("feed",), Feed),
        paper=_section(layer, ("paper",), Paper),
        accounts=_accounts(layer, environ),
        policies=PolicyBook(layer),
        sources={".".join(path): written.source for path, written in layer.items()},
        file=file,
    )
    _check(config, layer)
    if need_accounts:
        _check_accounts(config)
    return config


def parse_link(text: str) -> tuple[str, int]:
    """HOST:PORT of a virtual clock. Raises: ConfigError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) <= MAX_PORT:
        raise ConfigError(
            f"paper.link must be HOST:PORT, as `trailstop paper` prints it, not {text}"
        )
    return host, int(port)


def is_loopback(host: str) -> bool:
    """Whether an address cannot leave this machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _section(layer: Layer, head: tuple[str, ...], kind: type[S]) -> S:
    """The struct of one plain section, defaults where nothing is written."""
    name = "account" if head[0] == "accounts" else head[0]
    values: dict[str, Any] = {}
    for setting in section_settings(name).values():
        path = (*head, setting.name)
        if path in layer:
            values[setting.name] = read_value(".".join(path), setting.kind, layer[path])
    return kind(**values)


def _accounts(layer: Layer, environ: Mapping[str, str]) -> tuple[Account, ...]:
    names = dict.fromkeys(path[1] for path in layer if path[0] == "accounts")
    return tuple(_account(layer, name, environ) for name in names)


def _account(layer: Layer, name: str, environ: Mapping[str, str]) -> Account:
    settings = _section(layer, ("accounts", name), AccountSection)
    key = find_secret(_key_names(name, settings), environ)
    secret = find_secret(_secret_names(name, settings), environ)
    return Account(
        name=name,
        settings=settings,
        api_key=key[0] if key else None,
        api_secret=secret[0] if secret else None,
        key_source=key[1] if key else None,
        secret_source=secret[1] if secret else None,
    )


def _key_names(name: str, settings: AccountSection) -> tuple[str, ...]:
    return key_names(name, settings.venue, settings.api_key_env)


def _secret_names(name: str, settings: AccountSection) -> tuple[str, ...]:
    return secret_names(name, settings.venue, settings.api_secret_env)


def _patterns(texts: Sequence[str]) -> list[LegPattern]:
    return [parse_leg(text) for text in texts]


def _check(config: Config, layer: Layer) -> None:
    """Refuse what the single values allow and the whole does not."""
    if config.mode != PAPER_MODE:
        raise ConfigError(
            f"{layer[('trailstop', 'mode')].source}: mode {config.mode} does not exist in this "
            f'version, which knows paper alone; set trailstop.mode = "paper"'
        )
    for account in config.accounts:
        if not ACCOUNT_NAME.fullmatch(account.name):
            raise ConfigError(
                f"accounts.{account.name}: name an account with letters, digits, - and _ only"
            )
        _check_address(account.name, "rest_url", account.rest_url, REST_SCHEMES)
        _check_address(account.name, "ws_url", account.ws_url, WS_SCHEMES)
        _check_same_exchange(account)
    _check_forms(config)
    if config.link is not None and not is_loopback(config.link[0]):
        raise ConfigError(f"paper.link must be on this machine, not {config.link[0]}")
    guard = config.guard
    for texts in (guard.ignore, () if isinstance(guard.adopt, str) else guard.adopt):
        _patterns(texts)
    for name, value in (
        ("guard.reconcile_seconds", guard.reconcile_seconds),
        ("guard.full_pass_seconds", guard.full_pass_seconds),
        ("guard.no_contact_minutes", guard.no_contact_minutes),
        ("feed.poll_seconds", config.feed.poll_seconds),
        ("feed.cross_check_seconds", config.feed.cross_check_seconds),
        ("feed.deviation_percent", config.feed.deviation_percent),
        ("trailstop.log_max_mb", config.general.log_max_mb),
        ("trailstop.log_files", config.general.log_files),
        ("trailstop.journal_retention_days", config.general.journal_retention_days),
    ):
        if value <= 0:
            raise ConfigError(f"{config.sources[name]}: {name} must be above 0, not {value}")
    if "://" in (config.general.database or ""):
        raise ConfigError(
            f"{config.sources['trailstop.database']}: trailstop.database must be a file; this "
            f"version keeps its data in SQLite alone"
        )


def _check_forms(config: Config) -> None:
    """Refuse what is set for one account or position whose exchange has no such stop."""
    venues: dict[str, str] = {account.name: account.venue for account in config.accounts}
    for key, value, source in config.policies.overrides():
        section, name, *rest = key.split(".")
        if value is None or rest[-1] not in BACKSTOP_SETTINGS:
            continue
        venue = venues.get(name) if section == "accounts" else None
        if section == "positions":
            leg = parse_leg(name)
            venue = leg.venue or venues.get(leg.account or "")
        if venue in ONE_STOP_VENUES:
            raise ConfigError(
                f"{source}: {key} makes no sense on {venue}, which keeps one stop a position and "
                f"has no backstop; leave it out"
            )


def _check_address(account: str, name: str, text: str, schemes: tuple[str, ...]) -> None:
    where = f"accounts.{account}.{name}"
    parts = urlsplit(text)
    try:
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if parts.scheme not in schemes or not host:
        raise ConfigError(
            f"{where} must be an address like {schemes[0]}://127.0.0.1:9580, not {text}"
        )
    if not is_loopback(host):
        raise ConfigError(
            f"{where} points to {host}: this version trades on the local paper exchange alone; "
            f"use the address that `trailstop paper` prints"
        )


def _check_same_exchange(account: Account) -> None:
    """Refuse streams of one exchange beside requests to another: stops would follow its prices."""
    rest, ws = _port(account.rest_url), _port(account.ws_url)
    if rest != ws:
        raise ConfigError(
            f"accounts.{account.name}: rest_url and ws_url are of different exchanges (ports "
            f"{rest} and {ws}); leave ws_url out, it follows rest_url"
        )


def _port(text: str) -> int:
    """Both addresses are of this machine, so the port tells which exchange it is."""
    parts = urlsplit(text)
    return parts.port or DEFAULT_PORTS[parts.scheme]


def _check_accounts(config: Config) -> None:
    if not config.accounts:
        raise ConfigError(
            "no account to guard: write a trailstop.toml with an [accounts.NAME] section "
            "(trailstop config init makes one)"
        )
    taken: dict[tuple[str, Secret], str] = {}
    for account in config.accounts:
        key, _ = account.keys()
        other = taken.setdefault((account.rest_url, key), account.name)
        if other != account.name:
            raise ConfigError(
                f"accounts {other} and {account.name} have the same API key: two guards on one "
                f"account would disturb each other; give each its own "
                f"{_key_names(account.name, account.settings)[0]}"
            )
