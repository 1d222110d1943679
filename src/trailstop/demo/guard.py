"""The demo's guard: the settings file and the environment that its process starts with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from trailstop.config.config import Config, load_config
from trailstop.config.keys import own_key_name, own_secret_name
from trailstop.config.layers import command_layer, file_layer, lay_over
from trailstop.config.values import show_value
from trailstop.demo.exchange import PaperAddress
from trailstop.demo.settings import DemoSettings

FILE_NAME: Final = "trailstop.toml"
OWN_SETTINGS: Final = (
    ("trailstop", "mode"),
    ("trailstop", "data_dir"),
    ("trailstop", "database"),
    ("trailstop", "log_file"),
    ("paper", "link"),
)
"""What the demo decides for its guard, whatever the user's file says."""
OWN_VARIABLES: Final = ("TRAILSTOP__ACCOUNTS__", "TRAILSTOP__POSITIONS__", "TRAILSTOP_PAPER_")


def user_config(settings: DemoSettings, environ: Mapping[str, str]) -> Config:
    """The settings that the user gives, checked before anything starts.

    Raises: ConfigError.
    """
    return load_config(
        settings.config,
        (*settings.settings, *_option_settings(settings)),
        environ=_foreign(environ),
        need_accounts=False,
    )


def write_settings(settings: DemoSettings, address: PaperAddress, folder: Path) -> Path:
    """Write the guard's settings file: the user's settings, the demo's accounts and clock."""
    layer = lay_over(
        {} if settings.config is None else file_layer(settings.config),
        command_layer((*settings.settings, *_option_settings(settings))),
    )
    values: dict[tuple[str, ...], Any] = {
        path: written.value for path, written in layer.items() if _is_users(path)
    }
    values |= {
        ("trailstop", "mode"): "paper",
        ("trailstop", "data_dir"): str(folder),
        ("paper", "link"): address.link,
    }
    for name, venue in settings.accounts.items():
        rest, ws = address.of(venue)
        values["accounts", name, "venue"] = venue
        values["accounts", name, "rest_url"] = rest
        values["accounts", name, "ws_url"] = ws
    file = folder / FILE_NAME
    lines = [f"{_dotted(path)} = {_toml(value)}\n" for path, value in values.items()]
    file.write_text("".join(lines), encoding="utf-8")
    return file


def environment(address: PaperAddress, environ: Mapping[str, str]) -> dict[str, str]:
    """The guard's environment: the user's, with the keys of the paper accounts."""
    keys = dict(_foreign(environ))
    for name, account in address.accounts.items():
        keys[own_key_name(name)] = account.key
        keys[own_secret_name(name)] = account.secret
    return keys


def _option_settings(settings: DemoSettings) -> tuple[str, ...]:
    """Options of the demo that are settings too; they win over `--set`'s weaker sisters."""
    given = {
        "latency_ms": settings.latency_ms,
        "second_reduce_only_stop": settings.second_stop,
        "taker_fee": settings.taker_fee,
    }
    named = {text.partition("=")[0].strip() for text in settings.settings}
    return tuple(
        f"paper.{name}={value}"
        for name, value in given.items()
        if value is not None and f"paper.{name}" not in named
    )


def _foreign(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would reach into the demo's own accounts."""
    own = tuple("__".join(("TRAILSTOP", *path)).upper() for path in OWN_SETTINGS)
    return {
        name: value
        for name, value in environ.items()
        if not name.upper().startswith(OWN_VARIABLES) and name.upper() not in own
    }


def _is_users(path: tuple[str, ...]) -> bool:
    return path[0] not in ("accounts", "positions") and path not in OWN_SETTINGS


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(json.dumps(part) for part in path)


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_toml(one) for one in value)}]"
    return show_value(value)
