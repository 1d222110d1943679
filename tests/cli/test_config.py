"""Settings: where they come from, which one wins, and what a wrong one is told."""

from decimal import Decimal
from pathlib import Path

import pytest

from trailstop.config import Config, load_config
from trailstop.config.catalog import policy_settings, section_settings
from trailstop.config.keys import MASK
from trailstop.config.show import example_file, in_force, settings_table
from trailstop.domain.policy import Absolute, Atr, Callback, Policy, ProfitShare, Rung, Steps
from trailstop.domain.position import Leg
from trailstop.errors import ConfigError

KEY = {"TRAILSTOP_PAPER_KEY_MAIN": "the-api-key", "TRAILSTOP_PAPER_SECRET_MAIN": "the-secret"}
BTC = Leg("main", "binance", "BTCUSDT")


def config(
    tmp_path: Path, text: str = "", *settings: str, environ: dict[str, str] | None = None
) -> Config:
    file = tmp_path / "trailstop.toml"
    file.write_text(text, encoding="utf-8")
    return load_config(file, settings, environ=environ or {}, need_accounts=False)


def error(tmp_path: Path, text: str = "", *settings: str, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config(tmp_path, text, *settings, environ=environ)
    message = str(caught.value)
    assert "\n" not in message
    return message


FILE = "[policy]\ncallback_percent = 0.3\n"
ENVIRONMENT = {"TRAILSTOP__POLICY__CALLBACK_PERCENT": "0.2"}
COMMAND_LINE = "policy.callback_percent=0.1"


@pytest.mark.parametrize(
    ("text", "environ", "settings", "wins", "source"),
    [
        pytest.param("", {}, (), "0.5", "default", id="nothing said: the default"),
        pytest.param(FILE, {}, (), "0.3", "trailstop.toml", id="the file wins over the default"),
        pytest.param(FILE, ENVIRONMENT, (), "0.2", "TRAILSTOP__POLICY", id="environment over file"),
        pytest.param(
            FILE, ENVIRONMENT, (COMMAND_LINE,), "0.1", "--set", id="command line over all"
        ),
        pytest.param("", ENVIRONMENT, (COMMAND_LINE,), "0.1", "--set", id="also without a file"),
    ],
)
def test_precedence(*, tmp_path, text, environ, settings, wins, source):
    loaded = config(tmp_path, text, *settings, environ=environ)
    assert loaded.policy_for(BTC).distance == Callback(Decimal(wins))
    row = next(row for row in in_force(loaded) if row.key == "policy.callback_percent")
    assert row.value == wins
    assert source in row.source


def test_without_settings_the_policy_is_the_rule_s_own(tmp_path):
    assert config(tmp_path).policy_for(BTC) == Policy()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[policy]\ncalback_percent = 1", "did you mean callback_percent?"),
        ("[polcy]\ncallback_percent = 1", "did you mean policy?"),
        ("[accounts.main]\nrest_ulr = 'x'", "did you mean rest_url?"),
        ("[symbols.BTCUSDT]\non_crss = 'hold'", "did you mean on_cross?"),
        ("[policy.distance]\nkind = 'atr'\nlenght = 3", "did you mean length?"),
        ("[guard]\nreconcile = 3", "did you mean reconcile_seconds?"),
    ],
)
def test_an_unknown_key_is_an_error_with_a_suggestion(tmp_path, text, says):
    message = error(tmp_path, text)
    assert "unknown" in message
    assert says in message


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("policy.callback_percent=wide", "must be a number, not 'wide'"),
        ("policy.callback_percent=0", "above 0 and below 100"),
        ("policy.initial_stop_percent=7", "backstop_percent (5.0) must be farther"),
        ("policy.on_cross=shrug", "must be close or hold"),
        ("policy.profit_share=0.6", 'set distance = "profit_share"'),
        ("policy.distance=absolute", "needs absolute_distance"),
        ("guard.adopt=a/b/c/d", "is no leg"),
        ("trailstop.log_files=1.5", "a whole number"),
        ("policy=1", "section.key=value"),
    ],
)
def test_a_wrong_value_names_its_source_and_what_is_expected(tmp_path, setting, says):
    message = error(tmp_path, "", setting)
    assert says in message
    assert "--set" in message or "guard.adopt" in setting


def test_both_ways_of_activation_are_an_error_but_a_nearer_scope_displaces_the_other(tmp_path):
    both = "[policy]\nactivation_percent = 1\nactivation_price = 100"
    assert "keep one" in error(tmp_path, both)
    displaced = "[policy]\nactivation_percent = 1\n[symbols.BTCUSDT]\nactivation_price = 100"
    policy = config(tmp_path, displaced).policy_for(BTC)
    assert (policy.activation_percent, policy.activation_price) == (None, Decimal(100))


@pytest.mark.parametrize(
    ("text", "distance"),
    [
        ("distance = 'profit_share'\nprofit_share = 0.4", ProfitShare(Decimal("0.4"))),
        (
            "distance = 'steps'\nsteps = [[1, 0.5], [2, 0.25]]",
            Steps((Rung(Decimal(1), Decimal("0.5")), Rung(Decimal(2), Decimal("0.25")))),
        ),
        ("distance = 'atr'\natr_length = 7", Atr(length=7)),
        ("distance = 'absolute'\nabsolute_distance = 12.5", Absolute(Decimal("12.5"))),
        ("[policy.distance]\nkind = 'atr'\nlength = 7", Atr(length=7)),
        ("distance = 'steps'", Steps()),
    ],
)
def test_each_distance_can_be_written_flat_or_as_a_table(tmp_path, text, distance):
    assert config(tmp_path, f"[policy]\n{text}").policy_for(BTC).distance == distance


def test_steps_can_be_written_on_the_command_line(tmp_path):
    loaded = config(tmp_path, "", "policy.distance=steps", "policy.steps=1:0.5, 2:0.25")
    assert loaded.policy_for(BTC).distance == Steps(
        (Rung(Decimal(1), Decimal("0.5")), Rung(Decimal(2), Decimal("0.25")))
    )


def test_the_nearest_override_wins(tmp_path):
    loaded = config(
        tmp_path,
        """
        [policy]
        callback_percent = 0.9
        on_cross = "hold"
        [accounts.main.policy]
        callback_percent = 0.8
        [symbols."ETH/USDT:USDT"]
        callback_percent = 0.7
        [accounts.main.symbols.SOLUSDT]
        callback_percent = 0.6
        [positions."main/binance/XRPUSDT"]
        callback_percent = 0.5
        """,
    )

    def callback(account, symbol):
        policy = loaded.policy_for(Leg(account, "binance", symbol))
        assert policy.on_cross == "hold"
        return policy.distance.callback_percent

    assert callback("other", "BTCUSDT") == Decimal("0.9")
    assert callback("main", "BTCUSDT") == Decimal("0.8")
    assert callback("main", "ETHUSDT") == Decimal("0.7")
    assert callback("main", "SOLUSDT") == Decimal("0.6")
    assert callback("main", "XRPUSDT") == Decimal("0.5")
    assert callback("other", "XRPUSDT") == Decimal("0.9")


@pytest.mark.parametrize(
    ("settings", "guarded"),
    [
        ((), True),
        (("guard.adopt=none",), False),
        (("guard.adopt=BTC-USDT",), True),
        (("guard.adopt=other/BTCUSDT",), False),
        (("guard.adopt=ETHUSDT, main/BTCUSDT",), True),
        (("guard.ignore=BTCUSDT",), False),
        (("guard.ignore=other/BTCUSDT",), True),
    ],
)
def test_what_is_guarded(tmp_path, settings, guarded):
    assert config(tmp_path, "", *settings).is_guarded(BTC) is guarded


def test_none_switches_a_setting_off(tmp_path):
    loaded = config(
        tmp_path, "[policy]\nbreakeven_at_percent = 'none'\n", "policy.emergency_percent=off"
    )
    policy = loaded.policy_for(BTC)
    assert policy.breakeven_at_percent is None
    assert policy.emergency_percent is None


def test_a_price_in_the_file_is_exact(tmp_path):
    text = "[policy]\nactivation_price = 0.1000000000000000055511151231257827"
    assert config(tmp_path, text).policy_for(BTC).activation_price == Decimal(
        "0.1000000000000000055511151231257827"
    )


def test_a_broken_file_is_one_line_that_names_it(tmp_path):
    message = error(tmp_path, "[policy\n")
    assert "trailstop.toml is not TOML" in message
    assert "line 1" in message


def test_only_paper_mode_exists(tmp_path):
    assert "knows paper alone" in error(tmp_path, "[trailstop]\nmode = 'live'")


@pytest.mark.parametrize(
    "text",
    [
        "[accounts.main]\nrest_url = 'https://exchange.example'",
        "[accounts.main]\nws_url = 'wss://exchange.example/ws'",
        "[paper]\nlink = '10.0.0.1:99'",
    ],
)
def test_only_this_machine_is_talked_to(tmp_path, text):
    message = error(tmp_path, text)
    assert "this version trades on the local paper exchange" in message or "this machine" in message


# --- keys --------------------------------------------------------------------------------
def with_account(tmp_path: Path, environ: dict[str, str], extra: str = "") -> Config:
    file = tmp_path / "trailstop.toml"
    file.write_text(f"[accounts.main]\n{extra}", encoding="utf-8")
    return load_config(file, environ=environ)


def test_keys_come_from_the_environment_and_are_never_shown(tmp_path):
    loaded = with_account(tmp_path, KEY)
    key, secret = loaded.accounts[0].keys()
    assert (key.reveal(), secret.reveal()) == ("the-api-key", "the-secret")
    shown = repr(loaded) + "".join(f"{row.key}{row.value}{row.source}" for row in in_force(loaded))
    assert "the-api-key" not in shown
    assert "the-secret" not in shown
    assert MASK in shown


def test_keys_under_the_names_that_users_have_and_from_files(tmp_path):
    secret_file = tmp_path / "secret"
    secret_file.write_text("from-file\n", encoding="utf-8")
    environ = {"BINANCE_API_KEY": "k", "BINANCE_API_SECRET_FILE": str(secret_file)}
    key, secret = with_account(tmp_path, environ).accounts[0].keys()
    assert (key.reveal(), secret.reveal()) == ("k", "from-file")


def test_a_bybit_account_has_its_own_variables_and_its_own_default_address(tmp_path):
    file = tmp_path / "trailstop.toml"
    file.write_text('[accounts.one]\n[accounts.two]\nvenue = "bybit"\n', encoding="utf-8")
    environ = {
        "BINANCE_API_KEY": "k1", "BINANCE_API_SECRET": "s1",
        "BYBIT_API_KEY": "k2", "BYBIT_API_SECRET": "s2",
    }  # fmt: skip
    one, two = load_config(file, environ=environ).accounts
    assert (one.keys()[0].reveal(), two.keys()[0].reveal()) == ("k1", "k2")
    assert (one.rest_url, two.rest_url) == ("http://127.0.0.1:9580", "http://127.0.0.1:9583")
    shown = {row.key: row.value for row in in_force(load_config(file, environ=environ))}
    assert shown["accounts.two.ws_url"] == '"ws://127.0.0.1:9583"'
    own = load_config(file, environ=environ | {"TRAILSTOP_PAPER_KEY_TWO": "own"}).accounts[1]
    assert own.keys()[0].reveal() == "own"
    with pytest.raises(ConfigError, match=r"set TRAILSTOP_PAPER_KEY_TWO \(or BYBIT_API_KEY\)"):
        load_config(file, environ={"BINANCE_API_KEY": "k", "BINANCE_API_SECRET": "s"})


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[accounts.main.policy]\nbackstop_percent = 4", "accounts.main.policy.backstop_percent"),
        (
            "[accounts.main.symbols.BTCUSDT]\nbackstop_trigger_price = 'last'",
            "accounts.main.symbols.BTCUSDT.backstop_trigger_price",
        ),
        ("[positions.'main/BTCUSDT']\nbackstop_percent = 4", "positions.main/BTCUSDT.backstop"),
        ("[positions.'x/bybit/BTCUSDT']\nbackstop_percent = 4", "positions.x/bybit/BTCUSDT"),
    ],
)
def test_a_backstop_for_an_account_that_can_have_none_is_refused(tmp_path, text, key):
    account = "[accounts.main]\nvenue = 'bybit'\n"
    message = error(tmp_path, account + text)
    assert key in message
    assert "no backstop" in message
    config(tmp_path, "[accounts.main]\n" + text.replace("bybit", "binance"))


def test_general_settings_and_switched_off_ones_are_taken_with_a_bybit_account(tmp_path):
    config(
        tmp_path,
        "[accounts.main]\nvenue = 'bybit'\n[policy]\nbackstop_percent = 4\n"
        "[accounts.main.policy]\nbackstop_percent = 'none'\ninitial_stop_percent = 6\n",
    )


def test_a_missing_key_is_told_with_the_variable_to_set(tmp_path):
    with pytest.raises(ConfigError, match="set TRAILSTOP_PAPER_KEY_MAIN"):
        with_account(tmp_path, {})
    with pytest.raises(ConfigError, match="set TRAILSTOP_PAPER_SECRET_MAIN"):
        with_account(tmp_path, {"TRAILSTOP_PAPER_KEY_MAIN": "k"})
    with pytest.raises(ConfigError, match="set MY_KEY "):
        with_account(tmp_path, KEY, "api_key_env = 'MY_KEY'")


def test_a_key_in_the_file_is_refused_without_repeating_it(tmp_path):
    message = error(tmp_path, "[accounts.main]\napi_secret = 'very-secret'")
    assert "TRAILSTOP_PAPER_SECRET_MAIN" in message
    assert "very-secret" not in message


def test_two_accounts_with_one_key_are_refused(tmp_path):
    file = tmp_path / "trailstop.toml"
    file.write_text("[accounts.a]\n[accounts.b]\n", encoding="utf-8")
    environ = {"BINANCE_API_KEY": "k", "BINANCE_API_SECRET": "s"}
    with pytest.raises(ConfigError, match="the same API key"):
        load_config(file, environ=environ)


# --- the lists -----------------------------------------------------------------------------
def test_the_example_file_holds_every_setting_and_changes_nothing(tmp_path):
    text = example_file()
    for section in ("trailstop", "account", "policy", "guard", "feed", "paper"):
        for name in section_settings(section):
            assert f"#{name} = " in text
    loaded = config(tmp_path, text)
    assert loaded.policy_for(BTC) == Policy()


def test_the_example_s_values_are_the_defaults(tmp_path):
    """With every comment sign before a policy setting taken away nothing changes either."""
    lines = example_file().splitlines()
    names = tuple(f"#{name} = " for name in policy_settings())
    begin, end = lines.index("[policy]"), lines.index("[guard]")
    body = [line[1:] for line in lines[begin:end] if line.startswith(names)]
    body = [line for line in body[: len(names)] if not line.startswith("activation_price")]
    assert config(tmp_path, "[policy]\n" + "\n".join(body)).policy_for(BTC) == Policy()


def test_every_setting_is_explained():
    for section in ("trailstop", "account", "policy", "guard", "feed", "paper"):
        for setting in section_settings(section).values():
            assert setting.text.strip(), setting.name
            assert f"{setting.name}` |" in settings_table()
