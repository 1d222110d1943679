"""Settings that are misread, mistyped or mixed: an error before anything is started."""

from __future__ import annotations

import asyncio
import itertools
import re
import string
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from tests.acceptance.exchanges import Call
from trailstop.config import load_config
from trailstop.config.catalog import ALL_SECTIONS, NAMED_SECTIONS, section_settings
from trailstop.config.values import show_value
from trailstop.daemon.process.bootstrap import Daemon
from trailstop.errors import BadCredentials, ConfigError, StoreError, Unreachable
from trailstop.storage.store import Store
from trailstop.timelink import LoopClock

pytestmark = pytest.mark.usefixtures("one_way")
"""The mode of the account changes nothing of these; `tests/acceptance` plays both."""

SHOWN_PRICE = re.compile(r"(?:at|from) (\d[\d .]*\d)")
MEANT_SHARE = 0.95
"""How often the suggestion must be the very key that was meant."""
PLAIN_SECTIONS = tuple(name for name in ALL_SECTIONS if name not in NAMED_SECTIONS)
NUMBERS = {
    f"{section}.{name}": setting
    for section in PLAIN_SECTIONS
    for name, setting in section_settings(section).items()
    if isinstance(setting.default, Decimal)
}


def _load(*settings, file=None, environ=None, need_accounts=False):
    return load_config(file, settings, environ=environ or {}, need_accounts=need_accounts)


# --- percent-fraction-confusion -----------------------------------------------------------
def test_percent_fraction_confusion_each_number_of_the_rule_names_its_unit():
    """A share of price is `_percent`; what is a fraction, a count or a time says so itself."""
    others = {
        "policy.momentum_factor",
        "policy.profit_share",
        "policy.atr_multiplier",
        "policy.update_interval_seconds",
    }
    rule = {key for key in NUMBERS if key.startswith("policy.")}
    unnamed = {key for key in rule if "percent" not in key}
    assert unnamed == others


@pytest.mark.parametrize("text", ["0.5", "0.5%", "0.5 %", "0.50"])
def test_percent_fraction_confusion_half_a_percent_is_read_as_half_a_percent(text):
    config = _load(f"policy.callback_percent={text}")
    assert config.policies.base()["callback_percent"][0] == Decimal("0.5")


@pytest.mark.parametrize("text", ["50 bps", "50bp", "0,5", "half", "0.5 percent", "NaN", "inf"])
@pytest.mark.parametrize("key", sorted(NUMBERS))
def test_percent_fraction_confusion_other_units_are_refused(key, text):
    with pytest.raises(ConfigError, match=key.rpartition(".")[2]):
        _load(f"{key}={text}")


@pytest.mark.parametrize("key", [key for key in sorted(NUMBERS) if "percent" not in key])
def test_percent_fraction_confusion_a_percentage_of_what_is_none_is_refused(key):
    """A fee of 0.05% must not become a fee of 5 %."""
    with pytest.raises(ConfigError, match=r"is not in percent: write .* without %"):
        _load(f"{key}=0.05%")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("callback_percent", "0"),
        ("callback_percent", "100"),
        ("callback_percent", "-0.5"),
        ("initial_stop_percent", "100"),
        ("initial_stop_percent", "-2"),
        ("backstop_percent", "120"),
        ("profit_share", "50"),
        ("profit_share", "1"),
        ("profit_share", "0"),
        ("momentum_factor", "70"),
        ("breakeven_offset_percent", "100"),
        ("activation_percent", "-1"),
        ("min_improvement_percent", "-0.1"),
        ("emergency_percent", "0"),
    ],
)
def test_percent_fraction_confusion_numbers_without_meaning_are_refused(key, text):
    chosen = ["policy.distance=profit_share"] if key == "profit_share" else []
    with pytest.raises(ConfigError, match=key):
        _load(*chosen, f"policy.{key}={text}")


def test_percent_fraction_confusion_the_prices_that_result_are_shown_for_a_live_position(sit, side):
    """Who meant 0.5 and wrote 50 sees it: the adoption names the prices, and so does status."""

    async def story(table):
        table.open(side)
        await table.wait(3)
        status, start = table.status(side), table.up(side, "60")
        assert status.live_stop == table.working(side).price
        assert abs(status.activation_price - start) < 1
        (adopted,) = await table.facts("adopted")
        told = [Decimal(text.replace(" ", "")) for text in SHOWN_PRICE.findall(adopted.text)]
        wanted = [table.entry(side), start, table.behind(side, start, "50")]
        assert all(abs(one - other) < 1 for one, other in zip(told, wanted, strict=True)), told

    sit(story, policy="activation_percent = 60\ncallback_percent = 50")


# --- config-typo --------------------------------------------------------------------------
def _edits(word):
    """Every way to mistype a word by one character, one stray letter for each place."""
    letters = itertools.cycle(string.ascii_lowercase)
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]
        yield word[:place] + next(letters) + word[place + 1 :]
        yield word[:place] + next(letters) + word[place:]
        if place + 1 < len(word):
            yield word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _mistyped(word, known):
    return {edit for edit in _edits(word) if edit and edit not in known}


KEYS = [
    *((f"{section}.", name) for section in PLAIN_SECTIONS for name in section_settings(section)),
    *(("accounts.main.", name) for name in section_settings("account")),
    *(("accounts.main.policy.", name) for name in section_settings("policy")),
    *(("symbols.BTCUSDT.", name) for name in section_settings("policy")),
]


def _known(head):
    section = head.split(".")[-2]
    return section_settings({"main": "account", "BTCUSDT": "policy"}.get(section, section))


@pytest.mark.parametrize("head", sorted({head for head, _ in KEYS}))
def test_config_typo_each_mistyped_key_is_an_error_with_a_suggestion(head):
    tried, meant = 0, 0
    for name in _known(head):
        for wrong in sorted(_mistyped(name, _known(head))):
            with pytest.raises(ConfigError) as caught:
                _load(f"{head}{wrong}=1")
            text = str(caught.value)
            assert wrong in text
            assert "did you mean " in text, text
            assert "\n" not in text
            tried += 1
            meant += f"did you mean {name}?" in text
    assert tried > 30
    assert meant >= tried * MEANT_SHARE, f"{meant} of {tried} suggestions are what was meant"


@pytest.mark.parametrize("section", ALL_SECTIONS)
def test_config_typo_each_mistyped_section_is_an_error_with_a_suggestion(section, tmp_path):
    for wrong in sorted(_mistyped(section, ALL_SECTIONS)):
        file = tmp_path / "trailstop.toml"
        file.write_text(f"[{wrong}]\nsomething = 1\n", encoding="utf-8")
        with pytest.raises(ConfigError, match=f"did you mean {section}") as caught:
            _load(file=file)
        assert str(file) in str(caught.value)


@pytest.mark.parametrize("name", ["TRAILSTOP__POLICY__CALBACK_PERCENT", "TRAILSTOP__GARD__ADOPT"])
def test_config_typo_in_the_environment_is_an_error_too(name):
    with pytest.raises(ConfigError, match=f"{name}.*did you mean"):
        _load(environ={name: "1"})


@pytest.mark.parametrize(
    ("key", "word"),
    [("policy.on_cross", "clos"), ("policy.pacing", "fixd"), ("accounts.main.venue", "binanse")],
)
def test_config_typo_in_a_word_that_is_chosen_names_the_choices(key, word):
    with pytest.raises(ConfigError, match=f"{key} must be .* or .*{word}"):
        _load(f"{key}={word}")


def test_config_typo_what_is_in_force_can_be_printed_whole():
    """The effective configuration: each setting, its value and where it came from."""
    config = _load("policy.callback_percent=0.4")
    base = config.policies.base()
    assert set(base) == set(section_settings("policy"))
    assert base["callback_percent"] == (Decimal("0.4"), "--set policy.callback_percent")
    assert all(show_value(value) for value, _ in base.values())


# --- testnet-live-mix ---------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["live", "testnet", "exchange_demo", "papr", "PAPER ", ""])
def test_testnet_live_mix_a_mode_that_is_not_there_is_refused(mode):
    with pytest.raises(ConfigError, match=r"mode|trailstop\.mode"):
        _load(f"trailstop.mode={mode}")


@pytest.mark.parametrize("channel", ["rest_url", "ws_url"])
@pytest.mark.parametrize(
    "host",
    ["fapi.binance.com", "testnet.binancefuture.com", "api.bybit.com", "api-demo.bybit.com"],
)
def test_testnet_live_mix_no_channel_leads_out_of_paper(channel, host):
    scheme = "https" if channel == "rest_url" else "wss"
    with pytest.raises(ConfigError, match=f"{channel} points to {host}"):
        _load(f"accounts.main.{channel}={scheme}://{host}")


def test_testnet_live_mix_one_address_drives_every_channel():
    config = _load("accounts.main.rest_url=http://127.0.0.1:4711")
    (account,) = config.accounts
    assert account.ws_url == "ws://127.0.0.1:4711"


@pytest.mark.parametrize("rest", [9580, 9583, 4711])
@pytest.mark.parametrize("ws", [9580, 9583, 4711])
def test_testnet_live_mix_streams_of_another_exchange_cannot_be_set(rest, ws):
    settings = (
        f"accounts.main.rest_url=http://127.0.0.1:{rest}",
        f"accounts.main.ws_url=ws://127.0.0.1:{ws}",
    )
    if rest == ws:
        assert _load(*settings).accounts
        return
    with pytest.raises(ConfigError, match="rest_url and ws_url are of different exchanges"):
        _load(*settings)


async def _start(table, environ=None, venue=None):
    """Start a guard that is expected to refuse, with other keys or another adapter."""
    file = table.folder / "trailstop.toml"
    if venue is not None:
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(f'"{table.exchange.name}"', f'"{venue}"'), encoding="utf-8")
    keys = {
        f"TRAILSTOP_PAPER_{kind.upper()}_{name.upper()}": text
        for name, pair in table.paper.accounts.items()
        for kind, text in pair.items()
    }
    config = load_config(
        file, [f"trailstop.data_dir={table.folder}"], environ=keys | (environ or {})
    )
    clock = LoopClock(table.paper.exchange.loop)
    store = Store.open(config.database_url, mode=config.mode, now_ms=clock.wall_ms())
    try:
        await asyncio.wait_for(Daemon(config, store, clock).run(asyncio.Event()), 60)
    finally:
        await store.close()


@pytest.mark.parametrize("kinds", [["KEY"], ["SECRET"], ["KEY", "SECRET"]], ids="-".join)
def test_testnet_live_mix_a_key_of_elsewhere_ends_the_start_with_one_line(sit, kinds):
    """A key that is valid somewhere else, or a secret of another key."""

    async def story(table):
        environ = {f"TRAILSTOP_PAPER_{kind}_LONG": "of-another-environment" for kind in kinds}
        with pytest.raises(BadCredentials, match="TRAILSTOP_PAPER_KEY_LONG") as caught:
            await _start(table, environ)
        assert "\n" not in str(caught.value)
        assert "of-another-environment" not in str(caught.value), "nothing of a key is shown"

    sit(story, guard_first=False)


def test_testnet_live_mix_the_protocol_of_another_exchange_ends_the_start(sit):
    """The adapter of the one exchange at the address of the other."""

    async def story(table):
        other = {"binance": "bybit", "bybit": "binance"}[table.exchange.name]
        with pytest.raises((Unreachable, BadCredentials)) as caught:
            await _start(table, venue=other)
        assert "\n" not in str(caught.value)

    sit(story, guard_first=False)


@pytest.mark.usefixtures("one_way")
def test_testnet_live_mix_what_an_exchange_calls_by_its_own_name_is_no_key_of_another(sit):
    """The names that users have already are asked for by exchange: BYBIT_API_KEY is no Binance's."""

    async def story(table):
        other = {"binance": "BYBIT", "bybit": "BINANCE"}[table.exchange.name]
        pair = table.paper.accounts["long"]
        environ = {
            "TRAILSTOP_PAPER_KEY_LONG": "",
            "TRAILSTOP_PAPER_SECRET_LONG": "",
            f"{other}_API_KEY": pair["key"],
            f"{other}_API_SECRET": pair["secret"],
        }
        with pytest.raises(ConfigError, match=f"{table.exchange.name.upper()}_API_KEY"):
            await _start(table, environ)

    sit(story, guard_first=False)


def test_testnet_live_mix_a_database_of_another_mode_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path / 'trailstop.db'}"

    async def story():
        store = Store.open(url, mode="live", now_ms=0)
        await store.close()
        with pytest.raises(StoreError, match=r"live.*paper|paper.*live"):
            Store.open(url, mode="paper", now_ms=1)

    asyncio.run(story())


def test_testnet_live_mix_the_mode_names_the_database_and_is_in_the_status(sit):
    async def story(table):
        assert table.config.database.name == "trailstop-paper.db"
        assert table.daemon.facade.status().mode == "paper"

    sit(story)


# --- excess-permissions -------------------------------------------------------------------
def test_excess_permissions_a_key_that_may_not_trade_ends_the_start_with_one_line(sit, side):
    async def story(table):
        table.world.accounts[table.key(side)].trades = False
        with pytest.raises(BadCredentials, match=f"account {side} may not trade") as caught:
            await _start(table)
        assert f"TRAILSTOP_PAPER_KEY_{side.upper()}" in str(caught.value)
        assert "\n" not in str(caught.value)

    sit(story, guard_first=False)


@pytest.mark.usefixtures("one_layer")
@pytest.mark.parametrize("withdraws", [True, False])
def test_excess_permissions_a_key_that_may_withdraw_is_warned_of_and_guards(sit, side, withdraws):
    """Where the exchange tells it: Binance does so on another host than that of its futures."""

    async def story(table):
        table.world.accounts[table.key(side)].withdraws = withdraws
        await table.start()
        table.open(side)
        await table.wait(2)
        assert table.working(side)

    with capture_logs() as log:
        sit(story, guard_first=False)
    warned = [line for line in log if "may withdraw" in line["event"]]
    assert [line["account"] for line in warned] == ([side] if withdraws else [])
    assert all(line["log_level"] == "warning" for line in warned)
    assert all(line["variable"].startswith("TRAILSTOP_PAPER_KEY_") for line in warned)


@pytest.mark.usefixtures("one_layer")
def test_excess_permissions_rights_that_are_not_told_keep_nobody_from_guarding(sit, side):
    """Demo accounts do not tell them; what a key cannot do, its first order shows."""

    async def story(table):
        table.fault("internal", Call("GET", "/v5/user/query-api"))
        await table.start()
        table.open(side)
        await table.wait(2)
        assert table.working(side)

    sit(story, guard_first=False)
