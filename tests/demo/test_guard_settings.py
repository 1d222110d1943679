"""What the demo's guard starts with: the user's settings, the demo's accounts, no real keys."""

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec import structs

from trailstop.config import load_config
from trailstop.demo.exchange import PaperAddress, PaperKeys
from trailstop.demo.guard import environment, user_config, write_settings
from trailstop.demo.settings import DemoSettings
from trailstop.demo.story import paper_arguments
from trailstop.domain.position import Leg
from trailstop.errors import ConfigError

ADDRESS = PaperAddress(
    rest="http://127.0.0.1:1",
    ws="ws://127.0.0.1:1",
    control="http://127.0.0.1:2",
    link="127.0.0.1:3",
    now_us=0,
    sources=("generated",),
    accounts={"long": PaperKeys("kl", "sl"), "short": PaperKeys("ks", "ss")},
)
LEG = Leg("long", "binance", "BTCUSDT")


def guard_config(tmp_path: Path, settings: DemoSettings, **environ: str):
    file = write_settings(settings, ADDRESS, tmp_path)
    return load_config(file, environ=environment(ADDRESS, environ))


def test_the_guard_gets_the_two_paper_accounts_and_the_clock(tmp_path):
    config = guard_config(tmp_path, DemoSettings())
    assert [account.name for account in config.accounts] == ["long", "short"]
    key, secret = config.accounts[1].keys()
    assert (key.reveal(), secret.reveal()) == ("ks", "ss")
    assert config.link == ("127.0.0.1", 3)
    assert config.data_dir == tmp_path


def test_each_venue_has_accounts_of_its_own_at_its_own_address(tmp_path):
    names = ("long", "short", "bybit-long", "bybit-short")
    address = structs.replace(
        ADDRESS,
        accounts={name: PaperKeys(f"k-{name}", "s") for name in names},
        bybit_rest="http://127.0.0.1:4",
        bybit_ws="ws://127.0.0.1:4",
    )
    settings = DemoSettings(venues=("binance", "bybit"))
    file = write_settings(settings, address, tmp_path)
    config = load_config(file, environ=environment(address, {}))
    assert [(one.name, one.venue, one.rest_url) for one in config.accounts] == [
        ("long", "binance", "http://127.0.0.1:1"),
        ("short", "binance", "http://127.0.0.1:1"),
        ("bybit-long", "bybit", "http://127.0.0.1:4"),
        ("bybit-short", "bybit", "http://127.0.0.1:4"),
    ]
    assert [one.keys()[0].reveal() for one in config.accounts] == [f"k-{name}" for name in names]


@pytest.mark.parametrize(
    ("settings", "named", "expected"),
    [
        (DemoSettings(), ["long", "short"], []),
        (DemoSettings(venues=("bybit",)), ["bybit-long", "bybit-short"], ["--bybit-port"]),
        (
            DemoSettings(venues=("binance", "bybit"), hedge=True),
            ["both", "bybit-both"],
            ["--bybit-port", "--hedge"],
        ),
    ],
    ids=["plain", "bybit", "both in hedge mode"],
)
def test_the_exchange_is_asked_for_these_accounts(settings, named, expected):
    arguments = paper_arguments(settings, user_config(settings, {}))
    given = [value for flag, value in pairwise(arguments) if flag == "--account"]
    assert given == named
    assert [flag for flag in ("--bybit-port", "--hedge") if flag in arguments] == expected


def test_the_user_s_own_accounts_keys_and_folders_stay_out_of_it(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(
        "[trailstop]\ndata_dir = '/nowhere'\nlog_level = 'debug'\n[accounts.mine]\n"
        "[positions.'mine/BTCUSDT']\non_cross = 'hold'\n"
        "[policy]\ncallback_percent = 0.25\n[symbols.BTCUSDT]\nactivation_percent = 1\n"
        "[guard]\nadopt = ['BTCUSDT', 'ETHUSDT']\n"
    )
    config = guard_config(
        tmp_path,
        DemoSettings(config=file, settings=("policy.breakeven_at_percent=none",)),
        TRAILSTOP_PAPER_KEY_LONG="real",
        TRAILSTOP__ACCOUNTS__MINE__REST_URL="http://127.0.0.1:9",
        TRAILSTOP__TRAILSTOP__DATA_DIR="/elsewhere",
        TRAILSTOP__POLICY__EMERGENCY_PERCENT="0.8",
    )
    assert [account.name for account in config.accounts] == ["long", "short"]
    assert config.accounts[0].keys()[0].reveal() == "kl"
    assert config.data_dir == tmp_path
    assert config.general.log_level == "debug"
    assert config.guard.adopt == ("BTCUSDT", "ETHUSDT")
    policy = config.policy_for(LEG)
    assert policy.distance.callback_percent == Decimal("0.25")
    assert policy.activation_percent == Decimal(1)
    assert policy.emergency_percent == Decimal("0.8")
    assert policy.breakeven_at_percent is None
    assert policy.on_cross == "close"


@pytest.mark.parametrize(
    ("settings", "argument"),
    [
        (DemoSettings(latency_ms=0), "paper.latency_ms=0"),
        (DemoSettings(second_stop="refuse"), "paper.second_reduce_only_stop=refuse"),
        (DemoSettings(taker_fee="0.000005"), "paper.taker_fee=0.000005"),
        (DemoSettings(settings=("paper.depth=5000",)), "paper.depth=5000"),
    ],
)
def test_the_exchange_s_terms_are_passed_on(settings, argument):
    arguments = paper_arguments(settings, user_config(settings, {}))
    assert arguments[arguments.index("--set") + 1 :][:1] == [argument]


def test_recorded_prices_are_played_whole_and_generated_ones_for_a_while():
    recorded = DemoSettings(data=(Path("BTCUSDT-1m.csv"),), every=5)
    arguments = paper_arguments(recorded, user_config(recorded, {}))
    assert "--for" not in arguments
    assert arguments[arguments.index("--every") + 1] == "5"
    generated = paper_arguments(DemoSettings(seed=4), user_config(DemoSettings(), {}))
    assert generated[generated.index("--generate") + 1] == "4"
    assert "--for" in generated


def test_a_wrong_setting_is_refused_before_anything_starts():
    with pytest.raises(ConfigError, match="taker_fee must be a number"):
        user_config(DemoSettings(taker_fee="cheap"), {})
